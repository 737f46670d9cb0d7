"""What a run is: sizes and amounts. Everything else is the same for all of them."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    size_px: int
    concepts: str  # as concepts.load_concepts takes it

    vae_channels: tuple[int, ...]
    latent_channels: int
    vae_steps: int
    vae_batch: int  # crops; whole pictures, which come last, are half as many
    vae_crop_px: int
    vae_rate: float

    bank_scenes: int  # encoded scenes that the UNet learns from
    unet_channels: tuple[int, ...]
    unet_steps: int
    unet_batch: int
    unet_rate: float
    decoder_steps: int  # afterwards, with the encoder as it is

    save_every_s: float = 120


PRESETS = {
    # Two CPU cores, two hours.
    "cpu128": Preset(
        size_px=128, concepts="core",
        vae_channels=(32, 32, 64, 128), latent_channels=8,
        vae_steps=5500, vae_batch=16, vae_crop_px=64, vae_rate=1.5e-3,
        bank_scenes=24000, unet_channels=(64, 96, 128),
        unet_steps=5200, unet_batch=64, unet_rate=1.6e-3, decoder_steps=600),
    # What is shipped. One NVIDIA H200 and 16 cores that feed it, about ten minutes.
    "gpu128": Preset(
        size_px=128, concepts="all",
        vae_channels=(32, 32, 64, 128), latent_channels=8,
        vae_steps=6000, vae_batch=96, vae_crop_px=64, vae_rate=2e-3,
        bank_scenes=80000, unet_channels=(64, 96, 128),
        unet_steps=9500, unet_batch=384, unet_rate=1.6e-3, decoder_steps=800),
    # Two minutes of two CPU cores: shows that everything runs and learns, not that it draws.
    "smoke": Preset(
        size_px=64, concepts="4",
        vae_channels=(16, 16, 16, 32), latent_channels=8,
        vae_steps=60, vae_batch=8, vae_crop_px=32, vae_rate=2e-3,
        bank_scenes=96, unet_channels=(32, 32, 64),
        unet_steps=40, unet_batch=12, unet_rate=2e-3, decoder_steps=10,
        save_every_s=0.5),
}
