"""Cut-out pictures of every concept in every colour it can have, made once and kept in a file."""
from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from colours import COLOURS, grey_body, hue_body, recoloured
from concepts import PICTURES, Concept


@dataclass(frozen=True)
class Sprite:
    concept: int  # index into the concepts
    colour: str | None  # None: the picture as it is


class Sprites:
    """All sprites of some concepts, RGBA with premultiplied alpha, mapped from a file."""

    def __init__(self, concepts: list[Concept], size_px: int, cache: Path):
        self.concepts = concepts
        self.size_px = size_px
        self.index = [Sprite(i, colour) for i, concept in enumerate(concepts)
                      for colour in [None, *_other_colours(concept)]]
        self.of_concept: list[list[int]] = [[] for _ in concepts]
        for number, sprite in enumerate(self.index):
            self.of_concept[sprite.concept].append(number)
        key = json.dumps([size_px, [(c.picture, c.own_colour, c.recolour) for c in concepts]])
        note = cache.with_suffix(".json")
        if not (cache.exists() and note.exists() and note.read_text() == key):
            self._render(cache)
            note.write_text(key)
        self.pixels = np.load(cache, mmap_mode="r")  # [N, size, size, 4] uint8

    def colour_word(self, number: int) -> str | None:
        """The word for the sprite's colour; None where no single word fits."""
        sprite = self.index[number]
        return sprite.colour or self.concepts[sprite.concept].own_colour

    def image(self, number: int) -> Image.Image:
        """Premultiplied RGBA under the name of another mode of four bands, which Pillow can transform."""
        size = (self.size_px, self.size_px)
        return Image.frombuffer("CMYK", size, self.pixels[number].tobytes(), "raw", "CMYK", 0, 1)

    def _render(self, cache: Path) -> None:
        partial = cache.with_name(cache.name + ".partial.npy")
        shape = (len(self.index), self.size_px, self.size_px, 4)
        pixels = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)
        for number, sprite in enumerate(self.index):
            if sprite.colour is None:
                concept = self.concepts[sprite.concept]
                rgba, body = _open(concept, self.size_px)
                drawn = rgba
            else:
                drawn = recoloured(rgba, body, sprite.colour)
            drawn = np.concatenate([drawn[..., :3] * drawn[..., 3:], drawn[..., 3:]], -1)
            pixels[number] = (np.clip(drawn, 0, 1) * 255 + 0.5).astype(np.uint8)
        pixels.flush()
        os.replace(partial, cache)


def _other_colours(concept: Concept) -> list[str]:
    if concept.recolour == "no":
        return []
    return [colour for colour in COLOURS if colour != concept.own_colour]


def _open(concept: Concept, size_px: int):
    picture = Image.open(PICTURES / concept.picture).convert("RGBA")
    picture = picture.resize((size_px, size_px), Image.LANCZOS)
    rgba = np.asarray(picture).astype(np.float64) / 255
    if concept.recolour == "tint":
        return rgba, grey_body(rgba)
    _, _, hue = concept.recolour.partition(":")
    return rgba, hue_body(rgba, float(hue) if hue else None)
