"""Trains the VAE's decoder further, with the encoder, and so the UNet's latents, as they are."""
from __future__ import annotations

import random
from pathlib import Path

import torch
from diffusers import AutoencoderKL

import replicas
from gpu import Batch, autocast
from networks import SCALING_FACTOR
from presets import Preset
from scenes import SceneGenerator
from train_vae import held_out_pictures, normalised, psnr_db, reconstruct, reconstruction_losses, stacked
from training_loop import LoopConfig, TrainingLoop

NOISE = 0.05  # added to latents, as what the UNet makes is never quite clean


def train_decoder(preset: Preset, scenes: SceneGenerator, vae: AutoencoderKL, folder: Path, device: str) -> None:
    """Leaves the averaged weights in `vae`, whitened as it came."""
    vae.requires_grad_(False)
    vae.decoder.requires_grad_(True)
    config = LoopConfig("decoder", folder, preset.decoder_steps, preset.vae_rate / 2, ema_decay=0.995,
                        save_every_s=preset.save_every_s)
    loop = TrainingLoop(config, {"decoder": vae.decoder},
                        [{"params": list(vae.decoder.parameters()), "weight_decay": 1e-4}])
    held_out = held_out_pictures(scenes, 32).to(device)

    def make_batch(_step: int, rng: random.Random) -> Batch:
        count = replicas.share(preset.vae_batch // 2)
        return (stacked([scenes.draw(scenes.choose(rng), rng) for _ in range(count)]),)

    def losses(drawn: torch.Tensor) -> dict[str, torch.Tensor]:
        pictures = normalised(drawn)
        with autocast(device):
            with torch.no_grad():
                latents = vae.encode(pictures).latent_dist.sample()
                latents += NOISE / SCALING_FACTOR * torch.randn_like(latents)
            decoded = vae.decode(latents).sample
        return reconstruction_losses(decoded.float(), pictures)

    loop.run(make_batch, losses, lambda: {"psnr_db": psnr_db(reconstruct(vae, held_out), held_out)})
    with loop.averaged():
        averaged = {name: value.clone() for name, value in vae.decoder.state_dict().items()}
    vae.decoder.load_state_dict(averaged)
    vae.eval()
