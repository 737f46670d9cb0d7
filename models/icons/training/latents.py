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
from train_vae import as_tensor, normalised, stacked, train_vae
from training_loop import write_atomically

SCENES_OF_STATISTICS = 256
ENCODED_AT_ONCE = 100
SCENES_PER_FILE = 5 * ENCODED_AT_ONCE


def take_vae(preset: Preset, model: Path, folder: Path) -> None:
    """That of a model folder which this training made, so that it is whitened, in place of one that is trained."""
    path = folder / "vae_whitened.pt"
    taken = AutoencoderKL.from_pretrained(model / "vae", dtype=torch.float32, local_files_only=True).state_dict()
    with torch.device("meta"):
        wanted = make_vae(preset.vae_channels, preset.latent_channels, preset.size_px).state_dict()
    if {name: value.shape for name, value in taken.items()} != {name: value.shape for name, value in wanted.items()}:
        raise SystemExit(f"--vae must have the preset's channels {preset.vae_channels}, {model} has others")
    if not path.exists():
        write_atomically(taken, path)
        return
    kept = torch.load(path, map_location="cpu")
    if any(not torch.equal(value, taken[name]) for name, value in kept.items()):
        raise SystemExit(f"{folder} goes on with the VAE that it began with: give --vae {model} another --out")


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

    def sample(self, indices: torch.Tensor) -> torch.Tensor:
        """Latents with fresh posterior noise, [B, C, h, w] float32."""
        mean, deviation = self.mean[indices].float(), self.deviation[indices].float()
        return mean + deviation * torch.randn_like(mean)


def load_bank(preset: Preset, scenes: SceneGenerator, vae: AutoencoderKL, folder: Path) -> Bank:
    """On the VAE's device. Encodes what earlier runs have not; each file's scenes depend on its number alone."""
    target = folder / "bank"
    target.mkdir(exist_ok=True)
    files = [target / f"{first:07}.pt" for first in range(0, preset.bank_scenes, SCENES_PER_FILE)]
    mine = range(replicas.rank(), len(files), replicas.count())
    missing = [number for number in mine if not files[number].exists()]
    if missing:
        _encode_files(preset, scenes, vae, files, missing)
    replicas.wait_for_all()
    parts = [torch.load(path, map_location=vae.device) for path in files]
    return Bank([Scene(*row) for part in parts for row in part["scenes"]],
                torch.cat([part["mean"] for part in parts]),
                torch.cat([part["deviation"] for part in parts]))


@torch.no_grad()
def _encode_files(preset: Preset, scenes: SceneGenerator, vae: AutoencoderKL, files: list[Path],
                  numbers: list[int]) -> None:
    """Writes the files of these numbers."""
    steps_per_file = SCENES_PER_FILE // ENCODED_AT_ONCE

    def make_batch(step: int, rng: random.Random) -> tuple[list[Scene], torch.Tensor]:
        left = preset.bank_scenes - step * ENCODED_AT_ONCE
        chosen = [scenes.choose(rng) for _ in range(min(ENCODED_AT_ONCE, left))]
        return chosen, stacked([scenes.draw(scene, rng) for scene in chosen])

    steps = {number: [step for step in range(number * steps_per_file, (number + 1) * steps_per_file)
                      if step * ENCODED_AT_ONCE < preset.bank_scenes] for number in numbers}
    drawn = batches("bank", make_batch, [step for each in steps.values() for step in each], vae.device.type)
    started, done = time.monotonic(), 0
    for number in numbers:
        parts = [_encoded(vae, *next(drawn)) for _ in steps[number]]
        rows = [row for part in parts for row in part[0]]
        write_atomically({"scenes": rows, "mean": torch.cat([part[1] for part in parts]),
                          "deviation": torch.cat([part[2] for part in parts])}, files[number])
        done += len(rows)
        print(f"bank {number + 1}/{len(files)} | {done / (time.monotonic() - started):.1f} scenes/s", flush=True)


def _encoded(vae: AutoencoderKL, chosen: list[Scene], pictures: torch.Tensor) -> tuple:
    with torch.autocast(vae.device.type, torch.bfloat16):
        posterior = vae.encode(normalised(pictures.to(vae.device))).latent_dist
    rows = [(s.sprite, s.background, s.size, s.count, s.crop_px) for s in chosen]
    return rows, *((value.float() * SCALING_FACTOR).half().cpu() for value in (posterior.mean, posterior.std))
