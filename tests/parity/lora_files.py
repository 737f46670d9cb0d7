"""LoRA files for small models, in every form of names that others write them in.

All are made from one set of matrices, {component: {module: (down, up, alpha)}}, so that every form
says the same.
"""

import json
import re

import safetensors.torch
import torch
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY

ATTENTION = r"attn[12]\.to_(q|k|v|out\.0)$"
LINEAR = ATTENTION + r"|proj_(in|out)$|ff\.net\.(0\.proj|2)$|time_emb_proj$|(time|add)_embedding\.linear_[12]$"
CONVOLUTIONS = r"conv[12]$|conv_shortcut$|samplers\.0\.conv$|^conv_(in|out)$"
TEXT = r"(q|k|v|out)_proj$|fc[12]$"


def modules_of(pipe, patterns):
    """{component: [module names]} of the modules with a weight whose name fits."""
    chosen = {}
    for component, pattern in patterns.items():
        named = getattr(pipe, component).named_modules()
        chosen[component] = [
            name for name, module in named if re.search(pattern, name) and hasattr(module, "weight")
        ]
        assert chosen[component], component
    return chosen


def matrices_of(pipe, patterns, rank=4, alpha=None, seed=0, gain=0.5):
    """Matrices whose product is about as large as the weight that it changes. `rank`, `alpha`: a
    number, or a function of the module's name."""
    generator = torch.Generator("cpu").manual_seed(seed)
    matrices = {}
    for component, modules in modules_of(pipe, patterns).items():
        matrices[component] = {}
        for name in modules:
            weight = getattr(pipe, component).get_submodule(name).weight.detach()
            r = rank(name) if callable(rank) else rank
            a = alpha(name) if callable(alpha) else alpha
            down = torch.randn(r, *weight.shape[1:], generator=generator)
            up_shape = (weight.shape[0], r) + ((1, 1) if weight.dim() == 4 else ())
            up = torch.randn(up_shape, generator=generator)
            up *= gain * float(weight.std()) / r**0.5 / (a / r if a else 1)
            matrices[component][name] = (down, up, a)
    return matrices


def with_text_model(name):
    return name if name.startswith(("text_model.", "text_projection")) else f"text_model.{name}"


def kohya(matrices, blocks=None):
    """`blocks`: the UNet's names in the ldm layout by diffusers', as kohya's own scripts have them."""
    prefixes = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}
    tensors = {}
    for component, modules in matrices.items():
        for name, (down, up, alpha) in modules.items():
            spelled = blocks[name] if blocks and component == "unet" else name
            if component != "unet":
                spelled = with_text_model(name)
            key = prefixes[component] + spelled.replace(".", "_")
            tensors[f"{key}.lora_down.weight"] = down
            tensors[f"{key}.lora_up.weight"] = up
            if alpha is not None:
                tensors[f"{key}.alpha"] = torch.tensor(float(alpha))
    return tensors


def peft(matrices, down="lora_A", up="lora_B"):
    tensors = {}
    for component, modules in matrices.items():
        for name, (down_matrix, up_matrix, _) in modules.items():
            tensors[f"{component}.{name}.{down}.weight"] = down_matrix
            tensors[f"{component}.{name}.{up}.weight"] = up_matrix
    return tensors


def diffusers_new(matrices):
    tensors = peft({"unet": matrices["unet"]}, "lora.down", "lora.up")
    texts = {name: modules for name, modules in matrices.items() if name != "unet"}
    return tensors | peft(texts, "lora_linear_layer.down", "lora_linear_layer.up")


def diffusers_old(matrices):
    """Attention only: the old names know nothing else."""
    tensors = {}
    for component, modules in matrices.items():
        for name, (down, up, _) in modules.items():
            owner, _, leaf = name.replace(".to_out.0", ".to_out").rpartition(".")
            leaf = leaf.replace("q_proj", "to_q").replace("k_proj", "to_k").replace("v_proj", "to_v")
            leaf = leaf.replace("out_proj", "to_out")
            processor = ".processor" if component == "unet" else ""
            tensors[f"{component}.{owner}{processor}.{leaf}_lora.down.weight"] = down
            tensors[f"{component}.{owner}{processor}.{leaf}_lora.up.weight"] = up
    return tensors


def peft_metadata(matrices, **settings):
    """What diffusers' save_lora_weights says of PEFT's settings."""
    said = {}
    for component, modules in matrices.items():
        alphas = {name: alpha for name, (_, _, alpha) in modules.items()}
        ranks = {name: down.shape[0] for name, (down, _, _) in modules.items()}
        config = {
            "r": next(iter(ranks.values())),
            "lora_alpha": next(iter(alphas.values())),
            "rank_pattern": {f"^{name}": rank for name, rank in ranks.items()},
            "alpha_pattern": {f"^{name}": alpha for name, alpha in alphas.items()},
            "target_modules": sorted(modules),
            **settings,
        }
        said |= {f"{component}.{key}": value for key, value in config.items()}
    return {LORA_ADAPTER_METADATA_KEY: json.dumps(said), "format": "pt"}


def save(tensors, file, metadata=None):
    # Copies: safetensors refuses tensors that share memory.
    contiguous = {name: value.contiguous().clone() for name, value in tensors.items()}
    safetensors.torch.save_file(contiguous, file, metadata)
    return file
