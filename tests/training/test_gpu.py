"""What a GPU needs of the training's losses, shown without one: what waits for a value or copies one in cannot be
recorded. Seen are the operations that usually do; attention is the CPU's."""

from dataclasses import replace

import pytest
import torch
from classifier import trained_classifier
from concepts import load_concepts
from gpu import Gradients, keep_dtype_in_norms
from latents import finished_vae, load_bank
from presets import PRESETS
from scenes import SceneGenerator
from sprites import Sprites
from tokenizer import Tokenizer, write_tokenizers
from torch.utils._python_dispatch import TorchDispatchMode
from train_decoder import train_decoder
from train_unet import train_unet

# Each tells the host how many or what.
WAITING = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::is_nonzero",
           "aten::unique_dim", "aten::_unique2"}


class Watch(TorchDispatchMode):
    """Keeps the names of operations that would wait for a GPU, and of constants that would be copied to it."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation._schema.name
        by_mask = name.startswith("aten::index") and any(
            isinstance(each, torch.Tensor) and each.dtype == torch.bool
            for listed in args if isinstance(listed, (list, tuple)) for each in listed)
        if name in WAITING or name == "aten::lift_fresh" or by_mask:
            self.found.append(name)
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize("losses", [
    lambda x, w: {"loss": (w * x).sum() * x.sum().item()},
    lambda x, w: {"loss": (w * x)[x > 0].sum()},
    lambda x, w: {"loss": (w * x).sum() * torch.tensor(2.0)},
])
def test_what_waits_is_seen(losses):
    watch = Watch()
    with watch:
        losses(torch.ones(2), torch.ones(2))

    assert watch.found


def test_no_loss_waits(tmp_path, monkeypatch):
    preset = replace(PRESETS["smoke"], vae_steps=4, unet_steps=9, decoder_steps=1, bank_scenes=12)
    compute, watches = Gradients._compute, {}

    def watched(self, batch):
        with watches.setdefault(tuple(each.shape for each in batch), Watch()):
            return compute(self, batch)

    monkeypatch.setattr(Gradients, "_compute", watched)
    concepts = load_concepts(preset.concepts)
    scenes = SceneGenerator(Sprites(concepts, preset.size_px, tmp_path / "sprites.npy"), preset.size_px)
    write_tokenizers(tmp_path / "tokenizers")
    vae = finished_vae(preset, scenes, tmp_path, "cpu")
    bank = load_bank(preset, scenes, vae, tmp_path)
    train_unet(preset, scenes, bank, Tokenizer(tmp_path / "tokenizers" / "tokenizer"), tmp_path, "cpu")
    train_decoder(preset, scenes, vae, tmp_path, "cpu")
    trained_classifier(scenes, 1, tmp_path, "cpu")

    assert len(watches) == 5, "crops, whole pictures, short captions, long ones and what the classifier sees"
    assert not {shapes: watch.found for shapes, watch in watches.items() if watch.found}


def test_gradients_are_of_one_batch():
    weight = torch.nn.Parameter(torch.tensor(3.0))
    gradients = Gradients(lambda x: {"loss": (weight * x).sum(), "size": x.sum()}, [weight])

    first = gradients((torch.tensor([1.0, 2.0]),))
    assert weight.grad == 3 and first["loss"] == 9 and first["size"] == 3 and not first["loss"].requires_grad
    gradients((torch.tensor([5.0]),))

    assert weight.grad == 5
    gradients.forget()
    assert weight.grad is None


def test_norms_keep_their_dtype_and_values():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.GroupNorm(2, 4), torch.nn.Flatten(2), torch.nn.LayerNorm(9))
    x = torch.randn(2, 4, 3, 3)
    wanted = network(x)
    keep_dtype_in_norms(network)

    assert torch.equal(network(x), wanted)
    precise = network(x.double())  # the norms as they come refuse another dtype than their weights'
    assert precise.dtype == torch.float64
    assert torch.allclose(precise.float(), wanted, atol=1e-5)
