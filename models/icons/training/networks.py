"""The four networks, small relatives of SSD-1B's, and where their weights start."""
from __future__ import annotations

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

SCALING_FACTOR = 0.13025  # SSD-1B's vae/config.json
TOKENS = 77


def make_unet(channels: tuple[int, ...], latent_channels: int, sample_size: int) -> UNet2DConditionModel:
    """Block kinds and uneven depths as SSD-1B's; transformer depths of 1 and 2 in place of 2 to 10."""
    unet = UNet2DConditionModel(
        sample_size=sample_size, in_channels=latent_channels, out_channels=latent_channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        mid_block_type="UNetMidBlock2D", block_out_channels=channels,
        attention_head_dim=tuple(c // 32 for c in channels),
        transformer_layers_per_block=[[1], [1, 1], [1, 1]],
        reverse_transformer_layers_per_block=[[1, 1, 2], [2, 1, 1], 1],
        cross_attention_dim=192, addition_embed_type="text_time", addition_embed_type_num_heads=64,
        addition_time_embed_dim=32, projection_class_embeddings_input_dim=128 + 6 * 32,
        use_linear_projection=True, norm_num_groups=16)
    _start_near_linear(unet, residual=0.1, attention="proj_out", attention_scale=0.3)
    return unet


def make_vae(channels: tuple[int, ...], latent_channels: int, size_px: int) -> AutoencoderKL:
    """Eight norm groups: with as many groups as channels the last norm would remove plain colours."""
    vae = AutoencoderKL(
        block_out_channels=channels, down_block_types=["DownEncoderBlock2D"] * len(channels),
        up_block_types=["UpDecoderBlock2D"] * len(channels), layers_per_block=1,
        latent_channels=latent_channels, norm_num_groups=8, sample_size=size_px,
        scaling_factor=SCALING_FACTOR, force_upcast=True)
    _start_near_linear(vae, residual=0.05, attention="to_out.0", attention_scale=0.05)
    return vae


def make_text_encoders(vocabulary: int) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
    first = _clip_config(vocabulary, width=64, layers=2, heads=2, activation="quick_gelu")
    second = _clip_config(vocabulary, width=128, layers=3, heads=4, activation="gelu")
    return (_with_loud_embeddings(CLIPTextModel(first)),
            _with_loud_embeddings(CLIPTextModelWithProjection(second)))


def _clip_config(vocabulary: int, width: int, layers: int, heads: int, activation: str) -> CLIPTextConfig:
    # These ids are SSD-1B's too: with eos 2 CLIP pools where the highest id stands.
    config = CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=4 * width, projection_dim=width,
        num_hidden_layers=layers, num_attention_heads=heads, max_position_embeddings=TOKENS,
        hidden_act=activation, layer_norm_eps=1e-5, bos_token_id=0, eos_token_id=2, pad_token_id=1)
    config._attn_implementation = "sdpa"
    return config


def _with_loud_embeddings(encoder: nn.Module) -> nn.Module:
    """The UNet reads hidden_states[-2], which no norm has scaled: CLIP's own 0.02 would whisper."""
    for name, parameter in encoder.named_parameters():
        if "token_embedding" in name:
            nn.init.normal_(parameter, std=0.7)
        elif "position_embedding" in name:
            nn.init.normal_(parameter, std=0.2)
    return encoder


@torch.no_grad()
def _start_near_linear(network: nn.Module, residual: float, attention: str, attention_scale: float) -> None:
    """Quiet residual branches, and resampling that starts as plain copying and averaging.

    A VAE that starts otherwise stays grey for the first thousand steps.
    """
    for name, module in network.named_modules():
        if name.endswith(".conv2"):
            _scale(module, residual)
        elif name.endswith(attention):
            _scale(module, attention_scale)
        elif name.endswith("conv_shortcut"):
            nn.init.orthogonal_(module.weight)
            module.bias.zero_()
        elif "upsamplers" in name and name.endswith(".conv"):
            module.weight.mul_(0.3)
            module.weight[:, :, 1, 1] += torch.eye(module.weight.shape[0])
        elif "downsamplers" in name and name.endswith(".conv"):
            module.weight.mul_(1.2)
            module.weight[:, :, :2, :2] += 0.25 * torch.eye(module.weight.shape[0])[:, :, None, None]


def _scale(module: nn.Module, factor: float) -> None:
    module.weight.mul_(factor)
    module.bias.zero_()
