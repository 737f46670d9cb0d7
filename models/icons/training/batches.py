"""Draws the data of numbered steps, in worker processes where a GPU would wait for it."""
from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch.utils.data import DataLoader, Dataset


class _Steps(Dataset):
    def __init__(self, name: str, make: Callable[[int, random.Random], Any]):
        self._name = name
        self._make = make

    def __getitem__(self, step: int):
        return self._make(step, random.Random(f"{self._name} {step}"))


def batches(name: str, make: Callable[[int, random.Random], Any], steps: Sequence[int], device: str) -> Iterator[Any]:
    """make(step, generator) for each step in turn. What is drawn depends on name and step alone, so that
    a run that was stopped and resumed sees what one that ran through would have seen."""
    workers = 0 if device == "cpu" else max(1, len(os.sched_getaffinity(0)) - 2)
    # Forked workers need not pickle what `make` holds. None of it touches the GPU.
    context = "fork" if workers else None
    # In groups of their own: a Ctrl-C is for the run, which ends them once it has saved.
    return iter(DataLoader(_Steps(name, make), batch_size=None, sampler=steps, num_workers=workers,
                           multiprocessing_context=context, worker_init_fn=lambda _: os.setpgrp()))
