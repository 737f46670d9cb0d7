"""Trains the VAE: first on crops, which are cheap, then on whole pictures."""
from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

import replicas
from gpu import Batch, autocast
from networks import make_vae
from presets import Preset
from scenes import SceneGenerator
from training_loop import LoopConfig, TrainingLoop

CROPS_SHARE = 0.7  # of the steps
WILD_SHARE = 0.1  # of the pictures: things anywhere on any colour
KL_WEIGHT = 5e-4
CHROMA_WEIGHT = 3.0  # without it green stays dark for a thousand steps
SQUARE_WEIGHT = 2.0


def train_vae(preset: Preset, scenes: SceneGenerator, folder: Path, device: str) -> AutoencoderKL:
    """The VAE with its averaged weights, on the device."""
    torch.manual_seed(0)
    vae = make_vae(preset.vae_channels, preset.latent_channels, preset.size_px).to(device)
    loop = TrainingLoop(
        LoopConfig("vae", folder, preset.vae_steps, preset.vae_rate, save_every_s=preset.save_every_s),
        {"vae": vae}, [{"params": list(vae.parameters()), "weight_decay": 1e-4}])
    held_out = held_out_pictures(scenes, 32).to(device)

    def make_batch(step: int, rng: random.Random) -> Batch:
        if step < CROPS_SHARE * preset.vae_steps:
            return (_crops(scenes, rng, replicas.share(preset.vae_batch), preset.vae_crop_px),)
        return (stacked([_picture(scenes, rng) for _ in range(replicas.share(preset.vae_batch // 2))]),)

    def losses(drawn: torch.Tensor) -> dict[str, torch.Tensor]:
        pictures = normalised(drawn)
        with autocast(device):
            posterior = vae.encode(pictures).latent_dist
            decoded = vae.decode(posterior.sample()).sample
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        values = reconstruction_losses(decoded.float(), pictures)
        values["loss"] = values["loss"] + KL_WEIGHT * kl
        return values

    loop.run(make_batch, losses, lambda: {"psnr_db": psnr_db(reconstruct(vae, held_out), held_out)})
    with loop.averaged():
        averaged = {name: value.clone() for name, value in vae.state_dict().items()}
    vae.load_state_dict(averaged)
    return vae.eval()


def reconstruction_losses(decoded: torch.Tensor, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
    """decoded, pictures: [B, 3, H, W] in [-1, 1]. Errors near edges weigh up to five times as much."""
    detail = (pictures - F.avg_pool2d(pictures, 5, 1, 2, count_include_pad=False)).abs().mean(1, keepdim=True)
    weight = 1 + 8 * F.avg_pool2d(detail, 3, 1, 1).clamp(max=0.5)
    error = decoded - pictures
    l1 = (error.abs() * weight).mean() / weight.mean()
    chroma = torch.zeros((), device=error.device)
    for mean in (F.avg_pool2d(error, 4), F.avg_pool2d(error, 16)):
        chroma = chroma + (mean - mean.mean(1, keepdim=True)).abs().mean()
    square = error.square().mean()
    loss = l1 + _laplacian_l1(error, weight) + CHROMA_WEIGHT * chroma + SQUARE_WEIGHT * square
    return {"loss": loss, "l1": l1.detach(), "chroma": chroma.detach(), "square": square.detach()}


def _laplacian_l1(error: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """L1 of three levels of the error's Laplacian pyramid and of what is left."""
    total = torch.zeros((), device=error.device)
    for level in range(3):
        smaller = F.avg_pool2d(error, 2)
        band = error - F.interpolate(smaller, scale_factor=2, mode="bilinear", align_corners=False)
        total = total + (band.abs() * (F.avg_pool2d(weight, 2**level) if level else weight)).mean()
        error = smaller
    return total + error.abs().mean()


@torch.no_grad()
def reconstruct(vae: AutoencoderKL, pictures: torch.Tensor, batch: int = 8) -> torch.Tensor:
    """[N, 3, H, W] -> decoded posterior means [N, 3, H, W] in [-1, 1]."""
    with torch.autocast(pictures.device.type, torch.bfloat16):
        parts = [vae.decode(vae.encode(part).latent_dist.mean).sample for part in pictures.split(batch)]
    return torch.cat(parts).float().clamp(-1, 1)


def psnr_db(decoded: torch.Tensor, pictures: torch.Tensor) -> float:
    """Both in [-1, 1]; of the mean squared error over all of them."""
    return 10 * math.log10(4 / (decoded - pictures).square().mean().item())


def held_out_pictures(scenes: SceneGenerator, count: int) -> torch.Tensor:
    """Scenes of pairs that training never draws. [count, 3, H, W] in [-1, 1]."""
    rng = random.Random("held-out pictures")
    return as_tensor([scenes.draw(scenes.choose_held_out(rng), rng) for _ in range(count)])


def as_tensor(pictures: list[np.ndarray]) -> torch.Tensor:
    """[H, W, 3] uint8 each -> [B, 3, H, W] in [-1, 1]."""
    return normalised(stacked(pictures))


def stacked(pictures: list[np.ndarray]) -> torch.Tensor:
    """[H, W, 3] uint8 each -> [B, H, W, 3] uint8, as pictures travel to a GPU."""
    return torch.from_numpy(np.stack(pictures))


def normalised(pictures: torch.Tensor) -> torch.Tensor:
    """[B, H, W, 3] uint8 -> [B, 3, H, W] in [-1, 1]."""
    return pictures.permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1


def _picture(scenes: SceneGenerator, rng: random.Random) -> np.ndarray:
    if rng.random() < WILD_SHARE:
        return scenes.draw_wild(rng)
    return scenes.draw(scenes.choose(rng), rng)


def _crops(scenes: SceneGenerator, rng: random.Random, count: int, size_px: int) -> torch.Tensor:
    """Two crops of each picture, more of them near the middle. [count, size, size, 3] uint8."""
    crops = []
    for _ in range(count // 2):
        picture = _picture(scenes, rng)
        room = len(picture) - size_px
        for _ in range(2):
            top, left = (min(room, max(0, int(rng.gauss(room / 2, room / 3)))) for _ in range(2))
            crops.append(picture[top:top + size_px, left:left + size_px])
    return stacked(crops)
