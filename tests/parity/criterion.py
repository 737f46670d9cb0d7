"""When a picture counts as equal to the oracle's.

A limit on pixels alone proves nothing: a tanh GELU or a wrong eps stays within two levels
(test_mistakes.py shows which part of the criterion catches what).
"""

from dataclasses import dataclass

import numpy as np

MIN_PSNR_DB = 78.0
MAX_PIXEL_LEVELS = 1
MAX_LATENT_STDS = 1e-4
# A trained model can make more of float32's rounding than that, the oracle's own too: then ours may be
# this many times as far from float64 as the oracle's is at most, with its sums in one order or another.
# Up to 1.5 was measured, while one order of the oracle's had three times the rounding of another.
MAX_TIMES_OF_ROUNDING = 3


@dataclass
class Difference:
    """Of a picture and its latents from the oracle's."""

    psnr_db: float  # over all channels, peak 255; infinite for equal pictures
    pixel_levels: int  # the largest difference of a channel
    latent_stds: float  # the largest difference, in standard deviations of the oracle's latents

    @property
    def has_equal_picture(self):
        return self.psnr_db >= MIN_PSNR_DB and self.pixel_levels <= MAX_PIXEL_LEVELS

    @property
    def is_within(self):
        return self.has_equal_picture and self.latent_stds <= MAX_LATENT_STDS


def compare(picture, latents, oracle_picture, oracle_latents):
    """Pictures uint8 [H, W, 3], latents [C, h, w]; shapes must agree."""
    assert picture.shape == oracle_picture.shape, (picture.shape, oracle_picture.shape)
    assert latents.shape == oracle_latents.shape, (latents.shape, oracle_latents.shape)
    levels = np.abs(picture.astype(np.int64) - oracle_picture.astype(np.int64))
    mean_square = float((levels**2).mean())
    return Difference(
        psnr_db=10 * np.log10(255**2 / mean_square) if mean_square else np.inf,
        pixel_levels=int(levels.max()),
        latent_stds=float(np.abs(latents - oracle_latents).max() / oracle_latents.std()),
    )
