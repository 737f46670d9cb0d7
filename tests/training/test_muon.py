"""The optimiser of matrices."""

import pytest
import torch
from muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8), (1, 16, 16)])
def test_steps_have_singular_values_near_one(shape):
    generator = torch.Generator().manual_seed(0)

    steps = orthogonal(torch.randn(shape, generator=generator))

    values = torch.linalg.svdvals(steps)
    assert steps.shape == shape and values.min() > 0.6 and values.max() < 1.3, values


def test_a_step_is_as_large_as_adams_and_goes_downhill():
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(64, 8, 3, 3)), torch.nn.Parameter(torch.randn(64, 72))]
    targets = [torch.randn_like(weight) for weight in weights]
    optimiser = Muon(weights, lr=0.05)

    def loss():
        return sum((weight - target).square().sum() for weight, target in zip(weights, targets))

    before, first = loss().item(), [weight.detach().clone() for weight in weights]
    for step in range(150):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        if step == 0:
            sizes = [(weight - old).square().mean().sqrt().item() for weight, old in zip(weights, first)]
            assert all(size == pytest.approx(0.2 * 0.05, rel=0.2) for size in sizes), sizes
    assert loss().item() < 0.3 * before


def test_a_resumed_optimiser_takes_the_same_step():
    def stepped(optimiser, weight):
        weight.grad = torch.ones_like(weight) + torch.eye(6)
        optimiser.step()
        return weight.detach().clone()

    weight = torch.nn.Parameter(torch.zeros(6, 6))
    optimiser = Muon([weight], lr=0.1)
    stepped(optimiser, weight)
    other = torch.nn.Parameter(weight.detach().clone())
    resumed = Muon([other], lr=0.1)
    resumed.load_state_dict(optimiser.state_dict())

    assert torch.equal(stepped(optimiser, weight), stepped(resumed, other))
