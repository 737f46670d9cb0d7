"""Writes the trained networks as a diffusers folder in float16, under SSD-1B's names of tensors."""
from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import nn

from captions import caption_words
from concepts import Concept
from train_unet import Denoiser

DEFAULTS = {"steps": 16, "guidance_scale": 4.0, "scheduler": "euler"}

# SSD-1B's scheduler/scheduler_config.json
_SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.19.0", "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": False, "interpolation_type": "linear",
    "num_train_timesteps": 1000, "prediction_type": "epsilon", "sample_max_value": 1.0, "set_alpha_to_one": False,
    "skip_prk_steps": True, "steps_offset": 1, "timestep_spacing": "leading", "trained_betas": None,
    "use_karras_sigmas": False,
}
_INDEX = {
    "_class_name": "StableDiffusionXLPipeline", "_diffusers_version": "0.19.0", "force_zeros_for_empty_prompt": True,
    "scheduler": ["diffusers", "EulerDiscreteScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
    "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
    "tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
}
_CLIP_KEYS = ("attention_dropout", "hidden_act", "hidden_size", "initializer_factor", "initializer_range",
              "intermediate_size", "layer_norm_eps", "max_position_embeddings", "model_type", "num_attention_heads",
              "num_hidden_layers", "projection_dim", "vocab_size")


def export_model(denoiser: Denoiser, vae: AutoencoderKL, tokenizers: Path, concepts: list[Concept],
                 target: Path) -> None:
    """Replaces what is in `target` under these names and leaves the rest (a README, say)."""
    target.mkdir(parents=True, exist_ok=True)
    for name, network in (("unet", denoiser.unet), ("vae", vae)):
        _write_weights(network, target / name / "diffusion_pytorch_model.safetensors")
        network.save_config(target / name)
    for name in ("text_encoder", "text_encoder_2"):
        encoder = getattr(denoiser, name)
        _write_weights(encoder, target / name / "model.safetensors")
        config = {key: encoder.config.to_dict()[key] for key in _CLIP_KEYS}
        config |= {"architectures": [_INDEX[name][1]], "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1,
                   "torch_dtype": "float16", "dropout": 0.0}
        _write_json(target / name / "config.json", config)
    for name in ("tokenizer", "tokenizer_2"):
        shutil.copytree(tokenizers / name, target / name, dirs_exist_ok=True)
    _write_json(target / "scheduler" / "scheduler_config.json", _SCHEDULER)
    _write_json(target / "model_index.json", _INDEX)
    size = vae.config.sample_size
    _write_json(target / "generation_config.json", DEFAULTS | {
        "width": size, "height": size, "known_words": sorted(caption_words(concepts))})


def _write_weights(network: nn.Module, path: Path) -> None:
    tensors = {}
    for name, value in network.state_dict().items():
        if "position_ids" in name:
            continue
        if path.parent.name == "text_encoder" and not name.startswith("text_model."):
            name = f"text_model.{name}"  # as every published CLIPTextModel has it; transformers 5 left it off
        tensors[name] = value.detach().half().cpu().contiguous()
    infinite = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if infinite:
        raise ValueError(f"weights must be finite in float16, got {infinite}")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes for its user alone; a service has another


def _write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
