"""Colour words, backgrounds, and recolouring in OKLCh, where lightness and hue can be changed apart.

OKLab: Björn Ottosson, https://bottosson.github.io/posts/oklab/ (the matrices are from there).
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# The ten colour words: lightness, chroma and hue in degrees.
COLOURS = {
    "red": (0.60, 0.22, 27),
    "orange": (0.74, 0.17, 58),
    "yellow": (0.88, 0.17, 98),
    "green": (0.66, 0.19, 145),
    "blue": (0.58, 0.19, 258),
    "purple": (0.52, 0.20, 305),
    "pink": (0.76, 0.15, 350),
    "brown": (0.45, 0.08, 55),
    "black": (0.27, 0.01, 280),
    "white": (0.95, 0.01, 280),
}

# The background words, sRGB.
BACKGROUNDS = {
    "white": (255, 255, 255),
    "yellow": (255, 222, 89),
    "blue": (110, 170, 250),
    "light blue": (165, 218, 255),
    "pink": (255, 190, 215),
    "green": (140, 215, 130),
    "purple": (190, 155, 240),
    "orange": (255, 180, 100),
    "red": (240, 90, 85),
    "black": (25, 25, 30),
    "gray": (180, 180, 186),
}

_LMS_OF_RGB = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                        [0.2119034982, 0.6806995451, 0.1073969566],
                        [0.0883024619, 0.2817188376, 0.6299787005]])
_LAB_OF_LMS = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                        [1.9779984951, -2.4285922050, 0.4505937099],
                        [0.0259040371, 0.7827717662, -0.8086757660]])


def oklab(srgb: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1], [..., 3] -> OKLab [..., 3]."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _LMS_OF_RGB.T) @ _LAB_OF_LMS.T


def srgb(lab: np.ndarray) -> np.ndarray:
    """OKLab [..., 3] -> sRGB in [0, 1], clipped to what sRGB can show."""
    lms = lab @ np.linalg.inv(_LAB_OF_LMS).T
    linear = np.clip(lms**3 @ np.linalg.inv(_LMS_OF_RGB).T, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


@dataclass(frozen=True)
class Body:
    """The part of a picture that bears its colour. lab [H, W, 3], weight [H, W] in [0, 1]."""

    lab: np.ndarray
    chroma: np.ndarray
    hue_offset: np.ndarray  # degrees from the body's main hue, [-180, 180)
    weight: np.ndarray
    opaque: np.ndarray

    @property
    def core(self) -> np.ndarray:
        return (self.weight * self.opaque) > 0.5


def hue_body(rgba: np.ndarray, main_hue: float | None = None) -> Body:
    """What has about the picture's main hue (or the given one, in degrees). rgba [H, W, 4] in [0, 1]."""
    lab, opaque = oklab(rgba[..., :3]), rgba[..., 3] > 0.5
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    if main_hue is None:
        bins, _ = np.histogram(hue[opaque], 36, (0, 360), weights=chroma[opaque])
        main_hue = (bins + np.roll(bins, 1) + np.roll(bins, -1)).argmax() * 10 + 5
    offset = (hue - main_hue + 180) % 360 - 180
    weight = np.clip((60 - np.abs(offset)) / 20, 0, 1) * np.clip(chroma / 0.05 - 0.4, 0, 1)
    return Body(lab, chroma, offset, weight, opaque)


def grey_body(rgba: np.ndarray) -> Body:
    """What has hardly any chroma and is not dark: a rabbit, a ghost. rgba [H, W, 4] in [0, 1]."""
    lab, opaque = oklab(rgba[..., :3]), rgba[..., 3] > 0.5
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    weight = np.clip((0.10 - chroma) / 0.04, 0, 1) * np.clip((lab[..., 0] - 0.35) / 0.15, 0, 1)
    return Body(lab, np.ones_like(chroma), np.zeros_like(chroma), weight, opaque)


def recoloured(rgba: np.ndarray, body: Body, colour: str) -> np.ndarray:
    """The picture with its body in a colour of COLOURS; shading stays. rgba [H, W, 4] in [0, 1]."""
    lightness, chroma, hue = COLOURS[colour]
    core = body.core
    new_lightness = lightness + (body.lab[..., 0] - body.lab[..., 0][core].mean()) * 0.9
    new_chroma = chroma * np.clip(body.chroma / body.chroma[core].mean(), 0.2, 1.6)
    new_hue = np.radians(hue + body.hue_offset * 0.35)
    target = np.stack([new_lightness, new_chroma * np.cos(new_hue), new_chroma * np.sin(new_hue)], -1)
    weight = body.weight[..., None]
    return np.concatenate([srgb(body.lab * (1 - weight) + target * weight), rgba[..., 3:]], -1)
