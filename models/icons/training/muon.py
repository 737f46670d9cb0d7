"""Momentum with orthogonal steps, for weights that are matrices."""
from __future__ import annotations

import math
from collections import defaultdict

import torch


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024), its steps as large as AdamW's would be (Liu et al. 2025): takes AdamW's rates."""

    def __init__(self, params, lr: float, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not parameters:
                continue
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            by_shape = defaultdict(list)
            for parameter, direction in zip(parameters, self._directions(parameters, group["momentum"])):
                by_shape[parameter.flatten(1).shape].append((parameter, direction.flatten(1)))
            for shape, members in by_shape.items():
                alike, directions = zip(*members)
                steps = orthogonal(torch.stack(directions)).unbind()
                rate = 0.2 * math.sqrt(max(shape)) * group["lr"]
                torch._foreach_add_(alike, [s.view_as(p) for s, p in zip(steps, alike)], alpha=-rate)

    def _directions(self, parameters: list[torch.Tensor], momentum: float) -> tuple[torch.Tensor, ...]:
        averages, gradients = [], [parameter.grad for parameter in parameters]
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["average"] = torch.zeros_like(parameter)
            averages.append(state["average"])
        torch._foreach_lerp_(averages, gradients, 1 - momentum)
        return torch._foreach_lerp(gradients, averages, momentum)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """[N, rows, columns] -> roughly the nearest with singular values of one: five steps of Newton-Schulz in
    bfloat16, with the coefficients of Jordan et al., which get near quickly and end between 0.7 and 1.2."""
    x = matrices.bfloat16()
    is_tall = x.shape[1] > x.shape[2]
    if is_tall:
        x = x.mT.contiguous()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        square = torch.bmm(x, x.mT)
        factor = torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, factor, x, beta=3.4445)
    return (x.mT if is_tall else x).to(matrices.dtype, memory_format=torch.contiguous_format)
