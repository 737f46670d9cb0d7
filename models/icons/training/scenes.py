"""Draws scenes: one or two things on a plain background, with what a caption needs to know of them."""
from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from colours import BACKGROUNDS
from concepts import held_out_pairs
from sprites import Sprites

# Width of a thing as a share of the picture's, for no size word, "small" and "big".
SIZES = {None: (0.66, 0.86), "small": (0.34, 0.46), "big": (0.92, 1.04)}
PAIR_SIZE = (0.42, 0.50)  # of each of two things side by side


@dataclass(frozen=True)
class Scene:
    sprite: int
    background: str
    size: str | None  # a key of SIZES
    count: int  # 1 or 2
    crop_px: tuple[int, int]  # top, left: how far the picture's corner lies inside the drawing


class SceneGenerator:
    """What is drawn depends on the given random.Random alone."""

    def __init__(self, sprites: Sprites, size_px: int):
        self.sprites = sprites
        self.size_px = size_px
        kept = held_out_pairs()
        names = [concept.name for concept in sprites.concepts]
        self._allowed = [[n for n in numbers if (names[i], sprites.index[n].colour) not in kept]
                         for i, numbers in enumerate(sprites.of_concept)]
        allowed = {number for numbers in self._allowed for number in numbers}
        self._held_out = [n for n in range(len(sprites.index)) if n not in allowed]

    def choose(self, rng: random.Random) -> Scene:
        """A scene as training sees it: held-out pairs never come."""
        return self.choose_around(rng, self._choose_sprite(rng))

    def choose_held_out(self, rng: random.Random) -> Scene:
        """A scene with a (concept, colour) pair that training never draws."""
        return self.choose_around(rng, rng.choice(self._held_out))

    def choose_around(self, rng: random.Random, sprite: int) -> Scene:
        """A scene with a given sprite."""
        background = "white"
        if rng.random() < 0.5:
            background = rng.choice(self.possible_backgrounds(sprite))
        size, count = rng.choices([(None, 1), ("small", 1), ("big", 1), (None, 2)], (72, 10, 10, 8))[0]
        if not self.sprites.concepts[self.sprites.index[sprite].concept].is_countable:
            count = 1
        unit = self.size_px // 32
        crop = (rng.randrange(5) * unit, rng.randrange(5) * unit) if rng.random() < 0.04 else (0, 0)
        return Scene(sprite, background, size, count, crop)

    def possible_backgrounds(self, sprite: int) -> list[str]:
        """All but white and what the thing could not be told from."""
        colour = self.sprites.colour_word(sprite)
        return [b for b in BACKGROUNDS if b != "white" and colour not in (b, b.removeprefix("light "))]

    def draw(self, scene: Scene, rng: random.Random) -> np.ndarray:
        """The scene's picture [size, size, 3] uint8; place, tilt, mirror and shade come from rng."""
        picture = np.empty((self.size_px, self.size_px, 3), np.float32)
        picture[:] = BACKGROUNDS[scene.background]
        for left_share, width_share in self._places(scene, rng):
            pixels = self._thing(scene.sprite, width_share, rng)
            top = 0.5 + rng.uniform(-0.06, 0.06) * (1 if scene.size != "small" else 3)
            _paste(picture, pixels, round(left_share * self.size_px) - scene.crop_px[1],
                   round(top * self.size_px) - scene.crop_px[0])
        return np.clip(picture + 0.5, 0, 255).astype(np.uint8)

    def draw_wild(self, rng: random.Random) -> np.ndarray:
        """Things anywhere on any colour or gradient, for the VAE. [size, size, 3] uint8."""
        size = self.size_px
        ends = np.array([[rng.randrange(256) for _ in range(3)] for _ in range(2)], np.float32)
        if rng.random() < 0.5:
            ends[1] = ends[0]
        ramp = np.linspace(0, 1, size, dtype=np.float32)[:, None]
        line = ends[0] * (1 - ramp) + ends[1] * ramp  # [size, 3]
        line = line[:, None] if rng.random() < 0.5 else line[None]
        picture = np.array(np.broadcast_to(line, (size, size, 3)))
        for _ in range(rng.randint(0, 4)):
            sprite = rng.choice(rng.choice(self._allowed))
            pixels = self._thing(sprite, rng.uniform(0.3, 1), rng)
            _paste(picture, pixels, rng.randrange(size), rng.randrange(size))
        return np.clip(picture + 0.5, 0, 255).astype(np.uint8)

    def _choose_sprite(self, rng: random.Random) -> int:
        numbers = rng.choice(self._allowed)
        if len(numbers) == 1 or rng.random() < 0.3:
            return numbers[0]  # the picture as it is
        return rng.choice(numbers[1:])

    def _places(self, scene: Scene, rng: random.Random):
        """(centre from the left, width) of each thing, as shares of the picture's width."""
        if scene.count == 2:
            width = rng.uniform(*PAIR_SIZE)
            middle = rng.uniform(0.48, 0.52)
            return [(middle - 0.24, width), (middle + 0.24, width)]
        reach = {None: 0.07, "small": 0.2, "big": 0.02}[scene.size]
        return [(0.5 + rng.uniform(-reach, reach), rng.uniform(*SIZES[scene.size]))]

    def _thing(self, sprite: int, width_share: float, rng: random.Random) -> np.ndarray:
        """A sprite scaled, mirrored, tilted and shaded: premultiplied RGBA [h, w, 4] float32."""
        angle = math.radians(rng.uniform(-14, 14)) if rng.random() < 0.7 else 0
        mirror = -1 if rng.random() < 0.5 else 1
        image, width = self.sprites.image(sprite), max(8, width_share * self.size_px)
        if width < 0.6 * image.width:
            image = image.resize((round(width), round(width)), Image.LANCZOS)
        zoom = image.width / width
        cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
        side = math.ceil(width * (math.cos(angle) + abs(math.sin(angle))))
        half, middle = image.width / 2, side / 2
        matrix = (mirror * cos, mirror * sin, half - mirror * (cos + sin) * middle,
                  -sin, cos, half - (cos - sin) * middle)
        image = image.transform((side, side), Image.AFFINE, matrix, Image.BICUBIC)
        pixels = np.array(image, np.float32)
        pixels[..., :3] = np.minimum(pixels[..., :3] * rng.uniform(0.9, 1.06), pixels[..., 3:])
        return pixels


def _paste(picture: np.ndarray, pixels: np.ndarray, centre_x: int, centre_y: int) -> None:
    """Lays premultiplied pixels [h, w, 4] over the picture [H, W, 3], both 0 to 255."""
    height, width = pixels.shape[:2]
    left, top = centre_x - width // 2, centre_y - height // 2
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(picture.shape[1], left + width), min(picture.shape[0], top + height)
    if x1 <= x0 or y1 <= y0:
        return
    part = pixels[y0 - top:y1 - top, x0 - left:x1 - left]
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = under * (1 - part[..., 3:] / 255) + part[..., :3]
