"""Small models with random weights, made with diffusers on the spot.

Each has the class, the depths and the oddities of a relative of SSD-1B and narrow layers, so that a
picture takes about a second. Weights are drawn so that activations keep about unit variance: with
diffusers' own initialisation they fade, and wrong networks look like right ones.
"""

import copy
import json
import math
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from tokenizer_folders import CLIP_SIZE, write_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

SMALL_VOCABULARY = 1500
TIME_IDS = 6

SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler",
    "_diffusers_version": "0.19.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "sample_max_value": 1.0,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "trained_betas": None,
    "use_karras_sigmas": False,
}

# SSD-1B's own table: only widths, heads and groups are smaller.
SSD1B = {
    "vocabulary": CLIP_SIZE,
    "text": {"hidden_size": 32, "heads": 2, "layers": 3, "act": "quick_gelu", "eos": 2},
    "text_2": {"hidden_size": 48, "heads": 3, "layers": 4, "act": "gelu", "eos": 2},
    "unet": {
        "sample_size": 16,
        "block_out_channels": [32, 64, 96],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "mid_block_type": "UNetMidBlock2D",
        "layers_per_block": 2,
        "transformer_layers_per_block": [[1], [2, 2], [4, 4]],
        "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
        "attention_head_dim": [1, 2, 3],
        "norm_num_groups": 16,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 16,
    },
    "vae": {
        "block_out_channels": [16, 24, 32, 32],
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "scaling_factor": 0.13025,
        "sample_size": 128,
    },
    "scheduler": {},
    "index": {"force_zeros_for_empty_prompt": True},
}


def changed(base, **parts):
    """A copy of `base` with some keys of some parts set."""
    spec = copy.deepcopy(base)
    for part, keys in parts.items():
        spec[part] = {**spec[part], **keys} if isinstance(keys, dict) else keys
    return spec


# Legal and unlike SSD-1B in every number that a config may set.
ODD = changed(
    SSD1B,
    vocabulary=SMALL_VOCABULARY,
    text={"hidden_size": 40, "heads": 5, "layers": 2, "act": "gelu", "eos": "own", "eps": 1e-4},
    text_2={"hidden_size": 24, "heads": 1, "layers": 5, "act": "gelu_pytorch_tanh", "eos": "own",
            "projection_dim": 36},
    unet={
        "block_out_channels": [24, 48, 72, 48],
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D",
                             "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"],
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "layers_per_block": [1, 2, 3, 1],
        "transformer_layers_per_block": [1, 2, [2, 1, 1], [3]],
        "reverse_transformer_layers_per_block": [1, [1, 2, 1, 1], 1, [1, 2]],
        "attention_head_dim": [3, 4, 6, 2],
        "norm_num_groups": 12,
        "norm_eps": 1e-4,
        "use_linear_projection": False,
        "addition_time_embed_dim": 18,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
        "mid_block_scale_factor": 1.5,
        "downsample_padding": 0,
        "conv_in_kernel": 5,
        "conv_out_kernel": 1,
        "time_embedding_dim": 80,
        "center_input_sample": True,
        "sample_size": 32,
    },
    vae={
        "block_out_channels": [12, 18, 24],
        "layers_per_block": 2,
        "norm_num_groups": 6,
        "scaling_factor": 0.3,
        "latents_mean": [0.2, -0.4, 0.1, 0.3],
        "latents_std": [1.1, 0.7, 1.4, 0.9],
        "use_quant_conv": False,
        "use_post_quant_conv": False,
        "force_upcast": False,
    },
    index={"force_zeros_for_empty_prompt": False},
)

VEGA_DEPTHS = {
    "transformer_layers_per_block": [[1], [1, 1], [2, 2]],
    "reverse_transformer_layers_per_block": [[2, 2, 2], [1, 1, 1], 1],
}
SDXL_DEPTHS = {
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "transformer_layers_per_block": [1, 2, 3],
    "reverse_transformer_layers_per_block": None,
}

SPECS = {
    "ssd1b": SSD1B,
    "odd": ODD,
    "sdxl": changed(SSD1B, vocabulary=SMALL_VOCABULARY, unet=SDXL_DEPTHS),
    "vega": changed(SSD1B, vocabulary=SMALL_VOCABULARY, unet=VEGA_DEPTHS),
    "lcm": changed(
        SSD1B,
        vocabulary=SMALL_VOCABULARY,
        unet={**VEGA_DEPTHS, "time_cond_proj_dim": 24},
        scheduler={"_class_name": "LCMScheduler", "original_inference_steps": 50},
    ),
    "vpred": changed(
        SSD1B,
        vocabulary=SMALL_VOCABULARY,
        unet=VEGA_DEPTHS,
        scheduler={"prediction_type": "v_prediction", "timestep_spacing": "trailing"},
    ),
    # Other functions than SiLU, times that scale, and keys that none of these blocks reads.
    "mish": changed(
        SSD1B,
        vocabulary=SMALL_VOCABULARY,
        unet={
            **SDXL_DEPTHS,
            "act_fn": "Mish",
            "resnet_time_scale_shift": "scale_shift",
            "timestep_post_act": "gelu",
            "time_embedding_act_fn": "relu",
            "dropout": 0.3,
            "upcast_attention": True,
            "cross_attention_norm": "layer_norm",
            "mid_block_only_cross_attention": True,
            "resnet_skip_time_act": True,
            "resnet_out_scale_factor": 2.0,
        },
        vae={"act_fn": "gelu"},
    ),
    # No mid block, no attention in the VAE, a VAE of factor 16.
    "bare": changed(
        SSD1B,
        vocabulary=SMALL_VOCABULARY,
        unet={**VEGA_DEPTHS, "mid_block_type": None, "sample_size": 8},
        vae={"block_out_channels": [16, 16, 24, 24, 32], "mid_block_add_attention": False},
    ),
}


# What adds to a stream that norms read: kept small, so that a wrong eps of a norm shows.
WRITERS = ("conv_in.", "conv2.", "proj_in.", "to_out.0.", "ff.net.2.")
UNET_GAIN = 0.1
VAE_GAIN = 0.04


def draw_weights(module, generator):
    """Products keep the variance of what comes in; norms and biases are near one and zero, but not
    so near that forgetting them would not show."""
    gain = VAE_GAIN if isinstance(module, AutoencoderKL) else UNET_GAIN
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, device=generator.device)
            if "embedding.weight" in name:
                parameter.copy_(0.7 * noise)
            elif parameter.dim() >= 2:
                parameter.copy_(noise / math.sqrt(parameter[0].numel()))
            elif name.endswith("weight"):
                parameter.copy_(1 + 0.2 * noise)
            else:
                parameter.copy_(0.1 * noise)
            if any(writer in f"{name}." for writer in WRITERS) and "norm" not in name:
                parameter.mul_(gain)
        if isinstance(module, AutoencoderKL):
            module.decoder.conv_in.weight.mul_(0.1)  # latents come in about 1 / 0.13 wide
            module.decoder.conv_out.weight.mul_(4)  # pictures of full contrast
    return module.eval()


def text_config(spec, vocabulary):
    return CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=spec["hidden_size"],
        intermediate_size=4 * spec["hidden_size"],
        projection_dim=spec.get("projection_dim", spec["hidden_size"]),
        num_hidden_layers=spec["layers"],
        num_attention_heads=spec["heads"],
        hidden_act=spec["act"],
        layer_norm_eps=spec.get("eps", 1e-5),
        bos_token_id=0 if spec["eos"] == 2 else vocabulary - 2,
        eos_token_id=2 if spec["eos"] == 2 else vocabulary - 1,
        pad_token_id=1,
    )


def unet_of(spec):
    text, text_2, unet = spec["text"], spec["text_2"], spec["unet"]
    pooled = text_2.get("projection_dim", text_2["hidden_size"])
    return UNet2DConditionModel(
        **unet,
        cross_attention_dim=text["hidden_size"] + text_2["hidden_size"],
        projection_class_embeddings_input_dim=pooled + TIME_IDS * unet["addition_time_embed_dim"],
    )


def vae_of(spec):
    blocks = len(spec["vae"]["block_out_channels"])
    return AutoencoderKL(
        **spec["vae"],
        down_block_types=["DownEncoderBlock2D"] * blocks,
        up_block_types=["UpDecoderBlock2D"] * blocks,
        latent_channels=4,
    )


def save_model(spec, folder, seed=0, dtype=torch.float32, device="cpu"):
    """Writes a model folder in diffusers' layout, its weights drawn on `device`."""
    folder = Path(folder)
    generator = torch.Generator(device).manual_seed(seed)
    vocabulary = spec["vocabulary"]
    with torch.device(device):
        parts = {
            "text_encoder": CLIPTextModel(text_config(spec["text"], vocabulary)),
            "text_encoder_2": CLIPTextModelWithProjection(text_config(spec["text_2"], vocabulary)),
            "unet": unet_of(spec),
            "vae": vae_of(spec),
        }
    for name, part in parts.items():
        draw_weights(part, generator).to(dtype).save_pretrained(folder / name)
    write_tokenizers(folder, vocabulary)
    scheduler = {**SCHEDULER, **spec["scheduler"]}
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler, indent=2))
    index = {
        "_class_name": "StableDiffusionXLPipeline",
        "_diffusers_version": "0.19.0",
        **spec["index"],
        "scheduler": ["diffusers", scheduler["_class_name"]],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
    return folder
