"""Whitens the VAE's latents and encodes the scenes that the UNet learns from."""
from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL

import replicas
from batches import batches
from networks import SCALING_FACTOR, make_vae
from presets import Preset
from scenes import Scene, SceneGenerator
from train_vae import as_tensor, train_vae
from training_loop import write_atomically

SCENES_OF_STATISTICS = 256
SCENES_PER_FILE = 500
ENCODED_AT_ONCE = 16


def finished_vae(preset: Preset, scenes: SceneGenerator, folder: Path, device: str) -> AutoencoderKL:
    """The trained and whitened VAE; from here on its encoder stays as it is."""
    path = folder / "vae_whitened.pt"
    if not path.exists():
        vae = train_vae(preset, scenes, folder, device)
        if replicas.rank() == 0:
            rng = random.Random("statistics")
            count = min(SCENES_OF_STATISTICS, preset.bank_scenes)
            pictures = as_tensor([scenes.draw(scenes.choose(rng), rng) for _ in range(count)])
            whiten(vae, pictures.to(device))
            write_atomically(vae.state_dict(), path)
    replicas.wait_for_all()
    vae = make_vae(preset.vae_channels, preset.latent_channels, preset.size_px).to(device)
    vae.load_state_dict(torch.load(path, map_location=device))
    return vae.eval()


@torch.no_grad()
def whiten(vae: AutoencoderKL, pictures: torch.Tensor) -> None:
    """Folds a shift and a scale per channel into the convolutions around the latents.

    Afterwards a plain white picture has zero latents and, times the scaling factor, those of `pictures`
    [N, 3, H, W] have a root mean square of one; what is decoded stays the same. White at zero keeps
    white backgrounds free of tint.
    """
    white = torch.ones_like(pictures[:1])
    inner = slice(vae.config.sample_size // 32, -(vae.config.sample_size // 32))  # away from the padding
    means = torch.cat([vae.encode(part).latent_dist.mean for part in pictures.split(16)])
    shift = vae.encode(white).latent_dist.mean[0, :, inner, inner].mean((1, 2))
    spread = (means - shift[:, None, None]).square().mean((0, 2, 3)).sqrt()
    scale = 1 / (SCALING_FACTOR * spread)
    before, after, count = vae.quant_conv, vae.post_quant_conv, len(shift)
    before.weight[:count] *= scale[:, None, None, None]
    before.bias[:count] = (before.bias[:count] - shift) * scale
    before.bias[count:] += 2 * scale.log()  # the other half are log variances
    after.bias += after.weight[:, :, 0, 0] @ shift
    after.weight /= scale[None, :, None, None]


@dataclass
class Bank:
    scenes: list[Scene]
    mean: torch.Tensor  # [N, C, h, w] float16, times the scaling factor
    deviation: torch.Tensor  # of the posterior, likewise

    def sample(self, indices: list[int], device: str) -> torch.Tensor:
        """Latents with fresh posterior noise, [B, C, h, w] float32."""
        mean, deviation = self.mean[indices].to(device).float(), self.deviation[indices].to(device).float()
        return mean + deviation * torch.randn_like(mean)


def load_bank(preset: Preset, scenes: SceneGenerator, vae: AutoencoderKL, folder: Path) -> Bank:
    """Encodes what earlier runs have not; each file's scenes depend on its number alone."""
    target = folder / "bank"
    target.mkdir(exist_ok=True)
    files = {first: target / f"{first:07}.pt" for first in range(0, preset.bank_scenes, SCENES_PER_FILE)}
    for number, (first, path) in enumerate(files.items()):
        if number % replicas.count() == replicas.rank() and not path.exists():
            started = time.monotonic()
            count = min(SCENES_PER_FILE, preset.bank_scenes - first)
            write_atomically(_encoded(scenes, vae, f"bank {first}", count), path)
            speed = count / (time.monotonic() - started)
            print(f"bank {first + count}/{preset.bank_scenes} | {speed:.1f} scenes/s", flush=True)
    replicas.wait_for_all()
    parts = [torch.load(path) for path in files.values()]
    return Bank([Scene(*row) for part in parts for row in part["scenes"]],
                torch.cat([part["mean"] for part in parts]),
                torch.cat([part["deviation"] for part in parts]))


@torch.no_grad()
def _encoded(scenes: SceneGenerator, vae: AutoencoderKL, name: str, count: int) -> dict:
    def make_batch(step: int, rng: random.Random) -> tuple[list[Scene], torch.Tensor]:
        chosen = [scenes.choose(rng) for _ in range(min(ENCODED_AT_ONCE, count - step * ENCODED_AT_ONCE))]
        return chosen, as_tensor([scenes.draw(scene, rng) for scene in chosen])

    rows, means, deviations = [], [], []
    steps = range(-(-count // ENCODED_AT_ONCE))
    for chosen, pictures in batches(name, make_batch, steps, vae.device.type):
        with torch.autocast(vae.device.type, torch.bfloat16):
            posterior = vae.encode(pictures.to(vae.device)).latent_dist
        means.append((posterior.mean.float() * SCALING_FACTOR).half().cpu())
        deviations.append((posterior.std.float() * SCALING_FACTOR).half().cpu())
        rows += [(s.sprite, s.background, s.size, s.count, s.crop_px) for s in chosen]
    return {"scenes": rows, "mean": torch.cat(means), "deviation": torch.cat(deviations)}
