"""Draws pictures with any model folder, and contact sheets of them."""
from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image, ImageDraw


class Model:
    """A diffusers folder with its own defaults, in float32 on the CPU and bfloat16 on a GPU."""

    def __init__(self, folder: Path, device: str, **changed: float):
        """changed: defaults that are to be others, as guidance_scale=3.0."""
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True)
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline = pipeline.to(device)
        self.defaults = json.loads((folder / "generation_config.json").read_text(encoding="utf-8")) | changed

    def draw(self, prompts: list[str], seeds: list[int]) -> Iterator[np.ndarray]:
        """One picture [H, W, 3] uint8 for each prompt and its seed."""
        for first in range(0, len(prompts), 16):
            part = slice(first, first + 16)
            generators = [torch.Generator().manual_seed(seed) for seed in seeds[part]]
            images = self._pipeline(
                prompts[part], generator=generators, num_inference_steps=self.defaults["steps"],
                guidance_scale=self.defaults["guidance_scale"], width=self.defaults["width"],
                height=self.defaults["height"]).images
            yield from (np.asarray(image) for image in images)


def sheet(pictures: list[np.ndarray], labels: list[str], columns: int) -> Image.Image:
    """Pictures of one size in rows, each with its label below, or one for neighbours that share it."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * (width + 4), rows * (height + 18)), "white")
    pen = ImageDraw.Draw(whole)
    for number, (picture, label) in enumerate(zip(pictures, labels)):
        row, column = divmod(number, columns)
        left, top = column * (width + 4) + 2, row * (height + 18) + 2
        whole.paste(Image.fromarray(picture), (left, top))
        if column == 0 or labels[number - 1] != label:
            alike = len(list(takewhile(lambda other: other == label, labels[number:(row + 1) * columns])))
            pen.text((left, top + height + 1), label[:alike * width // 6], fill="black")
    return whole
