"""How well a model folder's VAE reconstructs scenes that it was not trained on."""
from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL

from scenes import SceneGenerator
from train_vae import held_out_pictures, psnr_db


@torch.no_grad()
def vae_quality(model: Path, scenes: SceneGenerator, count: int = 64) -> dict[str, float | bool]:
    """psnr_db over held-out scenes; the same decoder in float16 against float32; the tint of plain white."""
    vae = AutoencoderKL.from_pretrained(model / "vae", local_files_only=True).float().eval()
    half = AutoencoderKL.from_pretrained(model / "vae", dtype=torch.float16, local_files_only=True).eval()
    pictures = held_out_pictures(scenes, count)
    latents = [vae.encode(part).latent_dist.mean for part in pictures.split(8)]
    decoded = torch.cat([vae.decode(part).sample for part in latents])
    in_half = torch.cat([half.decode(part.half()).sample for part in latents[:2]]).float()
    white = torch.ones_like(pictures[:1])
    white_again = vae.decode(vae.encode(white).latent_dist.mean).sample.clamp(-1, 1)
    means = (white_again.mean((0, 2, 3)) + 1) * 127.5
    return {"psnr_db": psnr_db(decoded.clamp(-1, 1), pictures),
            "float16 is finite": bool(torch.isfinite(in_half).all()),
            "float16_psnr_db": psnr_db(in_half, decoded[:len(in_half)]),
            "white_mean": means.mean().item(),  # of 255
            "white_tint": (means.max() - means.min()).item()}
