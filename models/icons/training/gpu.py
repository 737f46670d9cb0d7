"""What keeps a GPU busy in training: the tensors here are so small that their kernels end sooner than they are launched."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MethodType

import torch
import torch.nn.functional as F
from torch import nn

Batch = Sequence[torch.Tensor]
Losses = Callable[..., dict[str, torch.Tensor]]


def autocast(device: str) -> torch.autocast:
    """To bfloat16. Recording wants no cache of weights."""
    return torch.autocast(device, torch.bfloat16, cache_enabled=device == "cpu")


class Gradients:
    """Computes losses of a batch and the parameters' gradients of "loss" among them.

    On a GPU all of it is recorded and replayed until a batch has other shapes. So `losses` must not wait for the
    GPU, and draws random numbers only from torch's default generators. Recording calls it some times more: what it
    changes besides, a batch norm's statistics, is changed more often.
    """

    def __init__(self, losses: Losses, parameters: Sequence[nn.Parameter]):
        self._losses = losses
        self._parameters = parameters
        self._recording: _Recording | None = None

    def __call__(self, batch: Batch) -> dict[str, torch.Tensor]:
        """losses(*batch), detached. These and the gradients, which are of this batch alone, hold until the next call."""
        if self._parameters[0].device.type == "cpu":
            return self._compute(batch)
        if self._recording is None or not self._recording.fits(batch):
            self.forget()
            self._recording = _Recording(self._compute, batch, self._parameters)
        return self._recording.replay(batch)

    def forget(self) -> None:
        """Frees the gradients and what was recorded, with its memory."""
        self._forget_gradients()
        if self._recording:
            self._recording = None
            torch.cuda.empty_cache()

    def _compute(self, batch: Batch) -> dict[str, torch.Tensor]:
        self._forget_gradients()
        values = self._losses(*batch)
        values["loss"].backward()
        return {name: value.detach() for name, value in values.items()}

    def _forget_gradients(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


class _Recording:
    def __init__(self, compute: Callable, batch: Batch, parameters: Sequence[nn.Parameter]):
        self._inputs = [each.to(parameters[0].device) for each in batch]
        before_recording = torch.cuda.Stream()
        before_recording.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(before_recording):
            for _ in range(3):  # libraries choose their kernels and take their own memory
                compute(self._inputs)
        torch.cuda.current_stream().wait_stream(before_recording)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._values = compute(self._inputs)

    def fits(self, batch: Batch) -> bool:
        return [each.shape for each in batch] == [each.shape for each in self._inputs]

    def replay(self, batch: Batch) -> dict[str, torch.Tensor]:
        for kept, given in zip(self._inputs, batch):
            kept.copy_(given.pin_memory(), non_blocking=True)  # from other memory a copy waits for all before it
        self._graph.replay()
        return self._values


def keep_dtype_in_norms(network: nn.Module) -> None:
    """CUDA's autocast gives norms float32 and copies to and from it; their kernels sum in float32 anyway."""

    def group_norm(self: nn.GroupNorm, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return F.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)

    def layer_norm(self: nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return F.layer_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)

    for module in network.modules():
        forward = {nn.GroupNorm: group_norm, nn.LayerNorm: layer_norm}.get(type(module))
        if forward:
            module.forward = MethodType(forward, module)
