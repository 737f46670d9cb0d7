"""Names the concept, colour and background of a picture. Only for the evaluation; it is not shipped."""
from __future__ import annotations

import random
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import replicas
from colours import BACKGROUNDS, COLOURS
from gpu import Batch, autocast
from scenes import SceneGenerator
from train_vae import as_tensor
from training_loop import LoopConfig, TrainingLoop

COLOUR_NAMES = list(COLOURS)
BACKGROUND_NAMES = list(BACKGROUNDS)
_SIDE = 64  # pictures are judged at this size
_UNNAMED = -100  # a sprite that no single colour word fits; cross entropy leaves it out
_BATCH = 32


class Classifier(nn.Module):
    """[B, 3, 64, 64] in [-1, 1] -> logits of concepts, colours and backgrounds."""

    def __init__(self, concepts: int):
        super().__init__()
        widths = (3, 32, 64, 128, 192)
        blocks = [nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU(),
                                nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())
                  for a, b in zip(widths, widths[1:])]
        self.body = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(192 * (_SIDE // 16) ** 2, 256), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(256, n) for n in (concepts, len(COLOUR_NAMES), len(BACKGROUND_NAMES)))

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        features = self.body(pictures)
        return [head(features) for head in self.heads]

    @torch.no_grad()
    def judge(self, pictures: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] in [-1, 1] -> numbers of concept, colour and background [B, 3]."""
        self.eval()
        small = F.interpolate(pictures, size=(_SIDE, _SIDE), mode="area")
        return torch.stack([logits.argmax(1) for logits in self(small)], 1)


def trained_classifier(scenes: SceneGenerator, steps: int, folder: Path, device: str) -> Classifier:
    """Trained on the generator's scenes, all pairs, none of the seeds that the model was trained on."""
    torch.manual_seed(0)
    classifier = Classifier(len(scenes.sprites.concepts)).to(device)
    config = LoopConfig("classifier", folder, steps, 2e-3, ema_decay=0.0)
    loop = TrainingLoop(config, {"classifier": classifier},
                        [{"params": list(classifier.parameters()), "weight_decay": 0.02}])

    def make_batch(_step: int, rng: random.Random) -> Batch:
        pictures, labels = labelled(scenes, rng, replicas.share(_BATCH))
        return F.interpolate(_augmented(pictures, rng), size=(_SIDE, _SIDE), mode="area"), labels

    def losses(small: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        classifier.train()
        with autocast(device):
            logits = classifier(small)
        loss = sum(F.cross_entropy(each.float(), labels[:, i], ignore_index=_UNNAMED)
                   for i, each in enumerate(logits))
        return {"loss": loss}

    loop.run(make_batch, losses)
    replicas.average([buffer for buffer in classifier.buffers() if buffer.is_floating_point()], False)
    return classifier.eval()


def labelled(scenes: SceneGenerator, rng: random.Random, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Fresh pictures of any pair [count, 3, H, W] and their labels [count, 3]."""
    pictures, labels = [], []
    for _ in range(count):
        sprite = rng.choice(rng.choice(scenes.sprites.of_concept))
        scene = scenes.choose_around(rng, sprite)
        colour = scenes.sprites.colour_word(sprite)
        pictures.append(scenes.draw(scene, rng))
        labels.append((scenes.sprites.index[sprite].concept,
                       COLOUR_NAMES.index(colour) if colour in COLOURS else _UNNAMED,
                       BACKGROUND_NAMES.index(scene.background)))
    return as_tensor(pictures), torch.tensor(labels)


def _augmented(pictures: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Softer, noisier and off in lightness, as pictures of a small model are."""
    if rng.random() < 0.6:
        factor = rng.choice((2, 3, 4))
        small = F.interpolate(pictures, scale_factor=1 / factor, mode="area")
        pictures = F.interpolate(small, size=pictures.shape[-2:], mode="bilinear", align_corners=False)
    gain = 1 + 0.1 * torch.randn(len(pictures), 1, 1, 1)
    return (pictures * gain + rng.uniform(0, 0.1) * torch.randn_like(pictures)).clamp(-1, 1)
