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
            by_shape = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.flatten(1).shape].append(parameter)
            for shape, parameters in by_shape.items():
                steps = orthogonal(torch.stack([self._direction(p, group["momentum"]).flatten(1) for p in parameters]))
                rate = 0.2 * math.sqrt(max(shape)) * group["lr"]
                for parameter, step in zip(parameters, steps):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(step.reshape(parameter.shape), alpha=-rate)

    def _direction(self, parameter: torch.Tensor, momentum: float) -> torch.Tensor:
        state = self.state[parameter]
        if not state:
            state["average"] = torch.zeros_like(parameter)
        state["average"].lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(state["average"], momentum)


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
    return (x.mT if is_tall else x).to(matrices.dtype)
