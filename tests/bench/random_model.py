"""A model folder of SSD-1B's size with random weights in float16: 4.5 GB, written once."""

import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "parity"))

from models import draw_weights  # noqa: E402
from tokenizer_folders import CLIP_SIZE, write_tokenizers  # noqa: E402

MAKERS = {
    "text_encoder": lambda config: CLIPTextModel(CLIPTextConfig(**config)),
    "text_encoder_2": lambda config: CLIPTextModelWithProjection(CLIPTextConfig(**config)),
    "unet": UNet2DConditionModel.from_config,
    "vae": AutoencoderKL.from_config,
}


def random_ssd1b(folder):
    """Makes the folder where it is not there yet; model_index.json comes last."""
    if (folder / "model_index.json").exists():
        return folder
    configs = json.loads((REPO / "models" / "configs" / "ssd-1b.json").read_text())
    generator = torch.Generator("cpu").manual_seed(0)
    for name, make in MAKERS.items():
        draw_weights(make(configs[name]), generator).half().save_pretrained(folder / name)
    write_tokenizers(folder, CLIP_SIZE)
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(configs["scheduler"]))
    (folder / "model_index.json").write_text(json.dumps(configs["model_index"]))
    return folder
