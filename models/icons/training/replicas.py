"""Work in several processes of one thread each; in training they average their gradients after every step.

The tensors here are so small that two threads of one process get in each other's way: on two cores two
processes trained three times as many samples a second.
"""
from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as distributed
import torch.multiprocessing as multiprocessing

MOST = 4  # more would leave each too few samples of a batch


def default_count(device: str) -> int:
    """The power of two, at most MOST, that the cores allow; one where a GPU does the work."""
    cores = len(os.sched_getaffinity(0)) if device == "cpu" else 1
    return next(count for count in (MOST, 2, 1) if count <= cores)


@contextmanager
def replicas(count: int, body: Callable[[], None]) -> Iterator[None]:
    """Runs `body` in count - 1 other processes as well, until the inside is done."""
    if count == 1:
        yield
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        others = [multiprocessing.get_context("fork").Process(target=_other, args=(folder, number, count, body))
                  for number in range(1, count)]
        for process in others:
            process.start()
        _join(folder, 0, count)
        try:
            yield
        finally:
            distributed.destroy_process_group()
            for process in others:
                process.join()


def rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def count() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share(batch: int) -> int:
    """This process's part of a batch."""
    part, rest = divmod(batch, count())
    if rest or not part:
        raise SystemExit(f"a batch of {batch} cannot be divided among {count()} processes: choose other --processes")
    return part


def wait_for_all() -> None:
    if count() > 1:
        distributed.barrier()


def average(tensors: list[torch.Tensor], flag: bool) -> bool:
    """Replaces each tensor by its mean over the processes; returns whether any of them raised its flag."""
    if count() == 1:
        return flag
    flat = torch.cat([*(tensor.flatten() for tensor in tensors), torch.tensor([float(flag)])])
    distributed.all_reduce(flat)
    *means, flags = (flat / count()).split([*(tensor.numel() for tensor in tensors), 1])
    torch._foreach_copy_(tensors, [mean.view_as(tensor) for mean, tensor in zip(means, tensors)])
    return flags.item() > 0


def gather(part: list) -> list:
    """What all processes hold of a list of which process r has every count-th item from r on."""
    if count() == 1:
        return part
    parts: list = [None] * count()
    distributed.all_gather_object(parts, part)
    return [parts[i % count()][i // count()] for i in range(sum(map(len, parts)))]


def _join(folder: str, number: int, processes: int) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=number, world_size=processes)


def _other(folder: str, number: int, processes: int, body: Callable[[], None]) -> None:
    torch.set_num_threads(1)
    _join(folder, number, processes)
    body()
    distributed.destroy_process_group()
