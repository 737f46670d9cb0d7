"""Trains the UNet and both text encoders together, from scratch, on encoded scenes."""
from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection

import replicas
from captions import caption
from gpu import Batch, autocast
from latents import Bank
from networks import TOKENS, make_text_encoders, make_unet
from presets import Preset
from scenes import Scene, SceneGenerator
from tokenizer import Tokenizer
from training_loop import LoopConfig, TrainingLoop

SHORT_TOKENS = 20  # holds every caption; the encoders are causal, so the rest is only padding
SHORT_SHARE = 0.88  # of the steps; then all 77 tokens, as they are in use
ZEROED_SHARE = 0.09  # of the samples: no text at all, for guidance
EMPTY_SHARE = 0.03  # of the samples: the text ""


@dataclass
class Denoiser:
    """The networks that are trained together."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    text_encoder_2: CLIPTextModelWithProjection

    def named(self) -> dict[str, nn.Module]:
        return vars(self)

    def encode(self, ids: torch.Tensor, ids_2: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[B, L] each -> hidden states [B, L, 64 + 128] and the pooled embedding [B, 128], as SDXL takes them."""
        hidden = self.text_encoder(ids, output_hidden_states=True).hidden_states[-2]
        second = self.text_encoder_2(ids_2, output_hidden_states=True)
        return torch.cat([hidden, second.hidden_states[-2]], -1), second.text_embeds


def make_denoiser(preset: Preset, vocabulary: int, device: str) -> Denoiser:
    torch.manual_seed(0)
    unet = make_unet(preset.unet_channels, preset.latent_channels, preset.size_px // 8)
    encoders = make_text_encoders(vocabulary)
    if device == "cpu":
        # The CPU's fused attention spends a third of a whole step on its backward pass.
        unet.set_attn_processor(AttnProcessor())
        for encoder in encoders:
            encoder.set_attn_implementation("eager")
    return Denoiser(*(network.to(device) for network in (unet, *encoders)))


def train_unet(preset: Preset, scenes: SceneGenerator, bank: Bank, tokenizer: Tokenizer, folder: Path,
               device: str) -> Denoiser:
    """The networks with their averaged weights, on the device."""
    denoiser = make_denoiser(preset, len(tokenizer), device)
    config = LoopConfig("unet", folder, preset.unet_steps, preset.unet_rate, save_every_s=preset.save_every_s)
    loop = TrainingLoop(config, denoiser.named(), _parameter_groups(denoiser))
    noise = NoiseSchedule(device)

    def make_batch(step: int, rng: random.Random) -> Batch:
        indices = [rng.randrange(len(bank.scenes)) for _ in range(replicas.share(preset.unet_batch))]
        length = SHORT_TOKENS if step < SHORT_SHARE * preset.unet_steps else TOKENS
        return make_captions(indices, [bank.scenes[i] for i in indices], length, rng)

    def make_captions(indices: list[int], chosen: list[Scene], length: int, rng: random.Random) -> Batch:
        draws = [rng.random() for _ in indices]
        texts = ["" if draw < ZEROED_SHARE + EMPTY_SHARE else caption(rng, scene, scenes.sprites)
                 for draw, scene in zip(draws, chosen)]
        size = preset.size_px
        return (torch.tensor(indices), torch.tensor(stratified_timesteps(len(indices), rng)),
                torch.tensor([tokenizer(text, tokenizer.end, length) for text in texts]),
                torch.tensor([tokenizer(text, 0, length) for text in texts]),
                torch.tensor([draw >= ZEROED_SHARE for draw in draws]),
                torch.tensor([(size, size, *s.crop_px, size, size) for s in chosen], dtype=torch.float32))

    def losses(indices: torch.Tensor, timesteps: torch.Tensor, ids: torch.Tensor, ids_2: torch.Tensor,
               has_text: torch.Tensor, time_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """indices: of the bank, [B]; timesteps: [B]; ids, ids_2: of the two tokenizers, [B, L] each; has_text: [B]
        bool, without it the embeddings are zeros; time_ids: SDXL's original size, top left of the crop and target
        size, [B, 6]."""
        latents = bank.sample(indices)
        target = torch.randn_like(latents)
        noisy = noise.add(latents, target, timesteps)
        with autocast(device):
            hidden, pooled = denoiser.encode(ids, ids_2)
            has_text = has_text.to(hidden.dtype)
            added = {"text_embeds": pooled * has_text[:, None], "time_ids": time_ids}
            predicted = denoiser.unet(noisy, timesteps, hidden * has_text[:, None, None], added_cond_kwargs=added,
                                      return_dict=False)[0]
        error = (predicted.float() - target).square().mean((1, 2, 3))
        late = timesteps <= 400
        return {"loss": (error * noise.weight[timesteps]).mean(), "early": mean_where(~late, error),
                "late": mean_where(late, error)}

    loop.run(make_batch, losses)
    load_averaged(loop, denoiser)
    return denoiser


def mean_where(chosen: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The mean of the chosen values; an index would wait for how many there are."""
    return (values.detach() * chosen).sum() / chosen.sum()


def load_averaged(loop: TrainingLoop, denoiser: Denoiser) -> None:
    with loop.averaged():
        states = {name: {k: v.clone() for k, v in network.state_dict().items()}
                  for name, network in denoiser.named().items()}
    for name, network in denoiser.named().items():
        network.load_state_dict(states[name])
        network.eval()


class NoiseSchedule:
    """SSD-1B's: a thousand steps, scaled linear betas from 0.00085 to 0.012."""

    def __init__(self, device: str):
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        self._signal = torch.cumprod(1 - betas, 0).float().to(device)
        ratio = self._signal / (1 - self._signal)  # signal to noise
        # min-SNR-5 (Hang et al. 2023); steps that are nearly noise weigh more, as colour is decided there.
        self.weight = ratio.clamp(max=5) / ratio * (0.3 / ratio).clamp(min=1) ** 0.3

    def add(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        signal = self._signal[timesteps][:, None, None, None]
        return signal.sqrt() * latents + (1 - signal).sqrt() * noise


def stratified_timesteps(count: int, rng: random.Random) -> list[int]:
    """One from each of `count` equal parts of the thousand, in random order."""
    timesteps = [min(999, int((part + rng.random()) / count * 1000)) for part in range(count)]
    rng.shuffle(timesteps)
    return timesteps


def _parameter_groups(denoiser: Denoiser) -> list[dict]:
    """Of each network what is a matrix between hidden layers, and the rest."""
    groups = []
    for name, network in denoiser.named().items():
        for is_matrix in (True, False):
            parameters = [p for n, p in network.named_parameters()
                          if is_matrix != any(part in n for part in ("embedding", "norm", "bias", "conv_in", "conv_out"))]
            groups.append({"params": parameters, "weight_decay": 0.01 if is_matrix else 0.0,
                           "orthogonal": is_matrix, "rate_scale": 1.0 if name == "unet" else 0.7})
    return groups
