"""Calls the UNet in training; on a GPU by replaying recorded graphs."""
from __future__ import annotations

import gc

import torch
from diffusers import UNet2DConditionModel
from torch import nn


class RecordedUNet:
    """On a GPU the forward and the backward pass are recorded for each shape of their inputs: such small tensors are
    computed sooner than their 3,400 kernels are launched."""

    def __init__(self, unet: UNet2DConditionModel):
        self._unet = unet
        self._recorded: dict[tuple, nn.Module] = {}

    def __call__(self, latents: torch.Tensor, timesteps: torch.Tensor, hidden: torch.Tensor, pooled: torch.Tensor,
                 time_ids: torch.Tensor) -> torch.Tensor:
        """[B, C, h, w], [B], [B, L, 192], [B, 128], [B, 6] -> what the UNet predicts [B, C, h, w]."""
        inputs = (latents, timesteps, hidden, pooled, time_ids)
        if latents.device.type == "cpu":
            return _OnlyTensors(self._unet)(*inputs)
        shapes = tuple(each.shape for each in inputs)
        if shapes not in self._recorded:
            samples = tuple(each.detach().clone().requires_grad_(each.requires_grad) for each in inputs)
            self._recorded[shapes] = torch.cuda.make_graphed_callables(_OnlyTensors(self._unet), samples)
        return self._recorded[shapes](*inputs)

    def forget(self) -> None:
        """Frees what was recorded, with its memory. It is part of cycles, which would keep it."""
        if self._recorded:
            self._recorded.clear()
            gc.collect()
            torch.cuda.empty_cache()


class _OnlyTensors(nn.Module):
    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        self.unet = unet

    def forward(self, latents, timesteps, hidden, pooled, time_ids):
        added = {"text_embeds": pooled, "time_ids": time_ids}
        return self.unet(latents, timesteps, hidden, added_cond_kwargs=added, return_dict=False)[0]
