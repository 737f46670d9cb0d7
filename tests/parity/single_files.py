"""Writes a model folder as one checkpoint in the ldm layout, as the known converters do."""

from pathlib import Path

import safetensors.torch
import torch

UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "time_embedding.cond_proj": "time_embed.cond_proj",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
for level in range(3):
    for layer in range(2):
        block = f"input_blocks.{3 * level + layer + 1}"
        UNET[f"down_blocks.{level}.resnets.{layer}"] = f"{block}.0"
        UNET[f"down_blocks.{level}.attentions.{layer}"] = f"{block}.1"
    for layer in range(3):
        block = f"output_blocks.{3 * level + layer}"
        UNET[f"up_blocks.{level}.resnets.{layer}"] = f"{block}.0"
        UNET[f"up_blocks.{level}.attentions.{layer}"] = f"{block}.1"
    UNET[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{3 * level + 3}.0.op"
    UNET[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{3 * level + 2}.2.conv"

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPEN_CLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def starting(name, table):
    """`name` with the start that `table` has replaced, and what replaced it."""
    for start, other in table.items():
        if name.startswith(start + "."):
            return other + name[len(start) :], other
    raise KeyError(name)


def unet_name(name):
    ldm, module = starting(name, UNET)
    if ".resnets." in name:
        ldm = f"{module}.{starting(ldm[len(module) + 1 :], RESNET)[0]}"
    return ldm


def vae_name(name, levels):
    name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    name = name.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
    if "mid_block.attentions.0." in name:
        part, rest = name.split("mid_block.attentions.0.")
        return f"{part}mid.attn_1.{starting(rest, ATTENTION)[0]}"
    for level in range(levels):
        name = name.replace(f"encoder.down_blocks.{level}.", f"encoder.down.{level}.")
        name = name.replace(f"decoder.up_blocks.{level}.", f"decoder.up.{levels - 1 - level}.")
    name = name.replace(".resnets.", ".block.")
    return name.replace("downsamplers.0", "downsample").replace("upsamplers.0", "upsample")


def vae_tensors(tensors, levels):
    ldm = {}
    for name, value in tensors.items():
        is_attention = ".attentions." in name and name.endswith(".weight") and value.dim() == 2
        ldm[vae_name(name, levels)] = value[:, :, None, None] if is_attention else value
    return ldm


def open_clip_tensors(tensors, untransposed):
    ldm, thirds = {}, {}
    for name, value in tensors.items():
        if name == "text_projection.weight":
            if untransposed:
                ldm["text_projection.weight"] = value
            else:
                ldm["text_projection"] = value.T
        elif ".layers." in name:
            number, rest = name.split(".layers.")[1].split(".", 1)
            layer = f"transformer.resblocks.{number}"
            if rest.startswith(("self_attn.q", "self_attn.k", "self_attn.v")):
                which, kind = rest.split("_proj.")
                thirds.setdefault(f"{layer}.attn.in_proj_{kind}", {})[which[-1]] = value
            else:
                ldm[f"{layer}.{starting(rest, OPEN_CLIP)[0]}"] = value
        else:
            name = name.replace("text_model.embeddings.position_embedding.weight", "positional_embedding")
            name = name.replace("text_model.embeddings.", "").replace("text_model.final_layer_norm", "ln_final")
            ldm[name] = value
    for name, parts in thirds.items():
        ldm[name] = torch.cat([parts["q"], parts["k"], parts["v"]])
    return ldm


def read_component(folder, component):
    (file,) = (Path(folder) / component).glob("*.safetensors")
    return safetensors.torch.load_file(file)


def write_single_file(folder, file, untransposed=False, leftovers=True, marks=False):
    """`untransposed`: the projection as SSD-1B's own checkpoint has it. `marks`: with what checkpoints
    of v-prediction say of themselves, even without leftovers."""
    vae = read_component(folder, "vae")
    levels = 1 + max(int(name.split(".")[2]) for name in vae if ".up_blocks." in name)
    parts = {
        "model.diffusion_model.": {
            unet_name(name): value for name, value in read_component(folder, "unet").items()
        },
        "first_stage_model.": vae_tensors(vae, levels),
        "conditioner.embedders.0.transformer.": {
            f"text_model.{name.removeprefix('text_model.')}": value
            for name, value in read_component(folder, "text_encoder").items()
        },
        "conditioner.embedders.1.model.": open_clip_tensors(
            read_component(folder, "text_encoder_2"), untransposed
        ),
    }
    tensors = {
        prefix + name: value.contiguous() for prefix, part in parts.items() for name, value in part.items()
    }
    if leftovers:
        position_ids = torch.arange(77)[None]
        tensors["conditioner.embedders.0.transformer.text_model.embeddings.position_ids"] = position_ids
        tensors["conditioner.embedders.1.model.text_model.embeddings.position_ids"] = position_ids.clone()
        tensors["conditioner.embedders.1.model.logit_scale"] = torch.tensor(4.6)
        width = tensors["conditioner.embedders.0.transformer.text_model.final_layer_norm.weight"].numel()
        tensors["conditioner.embedders.0.logit_scale"] = torch.tensor(4.6)
        tensors["conditioner.embedders.0.transformer.text_projection.weight"] = torch.eye(width)
        tensors["alphas_cumprod_prev"] = torch.ones(1000)
        tensors["model_ema.decay"] = torch.tensor(0.99)
        tensors["denoiser.sigmas"] = torch.ones(1000)
        tensors["alphas_cumprod"] = torch.ones(1000)
        tensors["first_stage_model.loss.logvar"] = torch.zeros(1)
    if leftovers or marks:
        tensors |= {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    safetensors.torch.save_file(tensors, file)
    return file
