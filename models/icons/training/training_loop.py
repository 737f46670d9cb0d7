"""The loop that every phase shares: optimiser, averaged weights, checkpoints, a progress line."""
from __future__ import annotations

import json
import math
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

import replicas
from batches import batches
from gpu import Batch, Gradients, Losses, keep_dtype_in_norms
from muon import Muon


class Stopped(Exception):
    """A signal asked the run to end; its checkpoint is written."""


@dataclass
class LoopConfig:
    name: str  # of the phase: NAME.pt is its checkpoint
    folder: Path
    steps: int
    rate: float  # the highest learning rate
    warmup_steps: int = 50
    decay_share: float = 0.4  # of the steps, at the end, over which the rate falls to nearly nothing
    ema_decay: float = 0.998
    save_every_s: float = 120


class TrainingLoop:
    """Trains some networks together, each replica on its share of every batch.

    The number of steps may be changed on resuming: the learning rate follows.
    """

    def __init__(self, config: LoopConfig, networks: dict[str, nn.Module], groups: list[dict]):
        """groups: of parameters, as AdamW takes them; "rate_scale" in a group scales its rate, "orthogonal" gives
        it to Muon instead."""
        self.config = config
        self.networks = networks
        self.step = 0
        self._parameters = [p for group in groups for p in group["params"]]
        if self._parameters[0].device.type != "cpu":
            for network in networks.values():
                keep_dtype_in_norms(network)
        self._average = [p.detach().clone() for p in self._parameters]
        matrices = [group for group in groups if group.get("orthogonal")]
        others = [group for group in groups if not group.get("orthogonal")]
        self._optimisers = [torch.optim.AdamW(others, config.rate, betas=(0.9, 0.99), fused=True)]
        if matrices:
            self._optimisers.append(Muon(matrices, config.rate))
        self._checkpoint = config.folder / f"{config.name}.pt"
        self._smooth: dict[str, torch.Tensor] = {}  # numbers on the device, which nobody waits for until they are told
        if self._checkpoint.exists():
            self._load()

    @property
    def is_done(self) -> bool:
        return self.step >= self.config.steps

    @contextmanager
    def averaged(self):
        """Inside, the networks have their averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def run(self, make_batch: Callable[[int, random.Random], Batch], losses: Losses,
            on_save: Callable[[], dict[str, float]] = dict) -> None:
        """Steps until done. make_batch(step, generator) draws this replica's share of a batch; losses(*batch), with
        the batch on the device, gives scalars, of which "loss" is minimised: see Gradients for what it may do.
        `on_save` is called with the averaged weights and returns numbers to be written down beside them."""
        steps = range(self.step, self.config.steps)
        drawn = batches(f"{self.config.name} {replicas.rank()}", make_batch, steps, self._parameters[0].device.type)
        gradients = Gradients(losses, self._parameters)
        try:
            with _stop_signal() as stop:
                self._run(drawn, gradients, on_save, stop)
        finally:
            gradients.forget()

    def _run(self, drawn: Iterator[Batch], gradients: Gradients, on_save, stop: threading.Event) -> None:
        saved_at = started_at = time.monotonic()
        first_step = self.step
        while not self.is_done:
            stopped = self._one_step(next(drawn), gradients, stop.is_set())
            now = time.monotonic()
            if replicas.rank() == 0:
                if self.step % 50 == 0 or self.is_done:
                    self._report((self.step - first_step) / (now - started_at))
                if self.is_done or stopped or now - saved_at > self.config.save_every_s:
                    self._save(dict if stopped else on_save)
                    saved_at = time.monotonic()
            if stopped:
                raise Stopped(f"{self.config.name}: stopped at step {self.step}")

    def _one_step(self, batch: Batch, gradients: Gradients, stop: bool) -> bool:
        """Returns whether any replica was to stop."""
        torch.manual_seed(self.step * replicas.count() + replicas.rank())
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self._rate() * group.get("rate_scale", 1)
        values = gradients(batch)
        stop = replicas.average([p.grad for p in self._parameters if p.grad is not None], stop)
        norm = nn.utils.clip_grad_norm_(self._parameters, 1.0)
        for optimiser in self._optimisers:
            optimiser.step()
        self.step += 1
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self._average, self._parameters, 1 - decay)
            for name, value in (*values.items(), ("norm", norm)):
                self._smooth.setdefault(name, value.float().clone()).lerp_(value.float(), 0.03)
        return stop

    def _told(self) -> dict[str, float]:
        return {name: value.item() for name, value in self._smooth.items()}

    def _rate(self) -> float:
        config = self.config
        left = (config.steps - self.step) / (config.decay_share * config.steps)
        decay = 0.5 - 0.5 * math.cos(math.pi * min(1, left))
        return config.rate * min(1, (self.step + 1) / config.warmup_steps) * (0.02 + 0.98 * decay)

    def _report(self, speed: float) -> None:
        numbers = " ".join(f"{name} {value:.4f}" for name, value in self._told().items())
        minutes = (self.config.steps - self.step) / speed / 60
        print(f"{time.strftime('%H:%M:%S')} {self.config.name} {self.step}/{self.config.steps} {numbers} | "
              f"{speed:.2f} steps/s, {minutes:.0f} min left", flush=True)

    def _swap(self) -> None:
        with torch.no_grad():
            for parameter, average in zip(self._parameters, self._average):
                kept = parameter.detach().clone()
                parameter.copy_(average)
                average.copy_(kept)

    def _save(self, on_save) -> None:
        write_atomically({"step": self.step, "average": self._average, "smooth": self._smooth,
                          "networks": {n: m.state_dict() for n, m in self.networks.items()},
                          "optimisers": [each.state_dict() for each in self._optimisers]}, self._checkpoint)
        with self.averaged():
            numbers = on_save()
        line = {"phase": self.config.name, "step": self.step, **self._told(), **numbers}
        with open(self.config.folder / "progress.jsonl", "a", encoding="ascii") as file:
            file.write(json.dumps(line) + "\n")
        if numbers:
            print(f"{self.config.name} {self.step}:", *(f"{k} {v:.4f}" for k, v in numbers.items()), flush=True)

    def _load(self) -> None:
        device = self._parameters[0].device
        state = torch.load(self._checkpoint, map_location=device)
        self.step = state["step"]
        self._smooth = {name: torch.as_tensor(value, device=device) for name, value in state["smooth"].items()}
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for optimiser, stored in zip(self._optimisers, state["optimisers"]):
            optimiser.load_state_dict(stored)
        for average, stored in zip(self._average, state["average"]):
            average.copy_(stored)
        if replicas.rank() == 0:
            print(f"{self.config.name}: resumed at step {self.step}", flush=True)


def write_atomically(value, path: Path) -> None:
    partial = path.with_name(path.name + ".partial")
    torch.save(value, partial)
    os.replace(partial, path)


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Inside, SIGTERM and SIGINT set the event and do nothing else."""
    asked = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: asked.set()) for number in numbers]
    try:
        yield asked
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)
