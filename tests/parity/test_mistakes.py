"""Mistakes made on purpose on the oracle's side: each must fail the criterion of the picture tests.

They are of the kind that a rewrite makes, many of them too small for the eye; harmless changes
(other layout, other number of threads) must pass.
"""

import copy
from contextlib import contextmanager

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from criterion import MAX_PIXEL_LEVELS, compare
from diffusers import StableDiffusionXLPipeline
from diffusers.image_processor import VaeImageProcessor
from diffusers.models import activations, resnet
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets import unet_2d_blocks
from test_pictures import request_of, theirs
from transformers.activations import QuickGELUActivation

REQUEST = request_of("sizes", "ssd1b") | {"steps": 4}


@pytest.fixture
def fresh(oracle):
    """The oracle's pipeline with components of its own, to be spoilt."""
    pipe = oracle("ssd1b")
    components = {name: copy.deepcopy(part) for name, part in pipe.components.items()}
    spoilt = StableDiffusionXLPipeline(**components, add_watermarker=False)
    spoilt.set_progress_bar_config(disable=True)
    return spoilt


@pytest.fixture(scope="session")
def right(oracle):
    return theirs(oracle("ssd1b"), REQUEST)


def norms_of(module, kind):
    return [norm for norm in module.modules() if isinstance(norm, kind)]


def tanh_gelu(pipe, patch):
    patch.setattr(activations.GEGLU, "gelu", lambda _, gate: F.gelu(gate, approximate="tanh"))


def gate_before_value(pipe, patch):
    def forward(geglu, hidden):
        gate, value = geglu.proj(hidden).chunk(2, dim=-1)
        return value * F.gelu(gate)

    patch.setattr(activations.GEGLU, "forward", forward)


def transformer_norm_eps(pipe, patch):
    for transformer in norms_of(pipe.unet, Transformer2DModel):
        transformer.norm.eps = 1e-5  # is 1e-6


def resnet_norm_eps(pipe, patch):
    for block in norms_of(pipe.unet, resnet.ResnetBlock2D):
        block.norm1.eps = block.norm2.eps = 1e-6  # is 1e-5


def vae_norm_eps(pipe, patch):
    for norm in norms_of(pipe.vae, torch.nn.GroupNorm):
        norm.eps = 1e-5  # is 1e-6


def set_activation(encoder, activation):
    for layer in encoder.modules():
        if hasattr(layer, "activation_fn"):
            layer.activation_fn = activation


def quick_gelu_in_encoder_2(pipe, patch):
    set_activation(pipe.text_encoder_2, QuickGELUActivation())  # is gelu


def gelu_in_encoder_1(pipe, patch):
    set_activation(pipe.text_encoder, torch.nn.GELU())  # is quick_gelu


def tanh_gelu_in_encoder_2(pipe, patch):
    set_activation(pipe.text_encoder_2, torch.nn.GELU(approximate="tanh"))  # is gelu


def pad_of_tokenizer_2(pipe, patch):
    pipe.tokenizer_2.pad_token = pipe.tokenizer_2.eos_token  # is "!"


def pooled_at_the_first_pad(pipe, patch):
    model = pipe.text_encoder_2.text_model
    model.eos_token_id = 0  # the id of tokenizer_2's pad


def final_norm_on_hidden(pipe, patch):
    encoder = pipe.text_encoder_2
    original = encoder.forward

    def forward(*args, **kwargs):
        output = original(*args, **kwargs)
        norm = encoder.text_model.final_layer_norm
        output.hidden_states = tuple(norm(hidden) for hidden in output.hidden_states)
        return output

    encoder.forward = forward


class ReversedCat:
    """torch, but what is concatenated comes the other way round."""

    def __getattr__(self, name):
        return getattr(torch, name)

    @staticmethod
    def cat(tensors, dim):
        return torch.cat(list(tensors)[::-1], dim)


def skip_before_hidden(pipe, patch):
    patch.setattr(unet_2d_blocks, "torch", ReversedCat())


def round_output(module):
    module.register_forward_hook(lambda _module, _inputs, out: out.to(torch.bfloat16).float())


def bfloat16_in_the_mid_block(pipe, patch):
    round_output(pipe.unet.mid_block)


def bfloat16_time_embedding(pipe, patch):
    round_output(pipe.unet.time_embedding)


def bfloat16_in_the_vae(pipe, patch):
    round_output(pipe.vae.decoder.up_blocks[-1])


def sines_before_cosines(pipe, patch):
    pipe.unet.time_proj.flip_sin_to_cos = False


def sines_before_cosines_of_sizes(pipe, patch):
    pipe.unet.add_time_proj.flip_sin_to_cos = False


def frequency_shift(pipe, patch):
    pipe.unet.time_proj.downscale_freq_shift = 1


def empty_text_for_no_negative_prompt(pipe, patch):
    pipe.register_to_config(force_zeros_for_empty_prompt=False)


def truncated_pixels(pipe, patch):
    original = VaeImageProcessor.numpy_to_pil

    def numpy_to_pil(images):
        return original(np.floor(images * 255) / 255)

    patch.setattr(VaeImageProcessor, "numpy_to_pil", staticmethod(numpy_to_pil))


def latents_scaled_as_stable_diffusion_1(pipe, patch):
    pipe.vae.register_to_config(scaling_factor=0.18215)


def no_steps_offset(pipe, patch):
    pipe.scheduler.register_to_config(steps_offset=0)


def initial_noise_of_sigma_max(pipe, patch):
    patch.setattr(
        type(pipe.scheduler), "init_noise_sigma", property(lambda self: self.sigmas.max())
    )


def heads_of_one_level_for_all(pipe, patch):
    for transformer in norms_of(pipe.unet.up_blocks[0], Transformer2DModel):
        for block in transformer.transformer_blocks:
            block.attn1.heads = 2  # is 3


MISTAKES = [
    tanh_gelu,
    gate_before_value,
    transformer_norm_eps,
    resnet_norm_eps,
    vae_norm_eps,
    quick_gelu_in_encoder_2,
    gelu_in_encoder_1,
    tanh_gelu_in_encoder_2,
    pad_of_tokenizer_2,
    pooled_at_the_first_pad,
    final_norm_on_hidden,
    skip_before_hidden,
    bfloat16_in_the_mid_block,
    bfloat16_time_embedding,
    bfloat16_in_the_vae,
    sines_before_cosines,
    sines_before_cosines_of_sizes,
    frequency_shift,
    empty_text_for_no_negative_prompt,
    truncated_pixels,
    latents_scaled_as_stable_diffusion_1,
    no_steps_offset,
    initial_noise_of_sigma_max,
    heads_of_one_level_for_all,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_mistake_is_caught(mistake, fresh, right, monkeypatch):
    mistake(fresh, monkeypatch)

    difference = compare(*theirs(fresh, REQUEST), *right)

    print(difference)
    assert not difference.is_within, difference


REQUEST_MISTAKES = {
    "crop_left_before_top": {"crop_top": REQUEST["crop_left"], "crop_left": REQUEST["crop_top"]},
    "width_before_height": {"original_width": 480, "original_height": 640},
    "target_for_original": {"original_width": 1024, "original_height": 768},
    "last_hidden_layer": {"clip_skip": -1},
    "one_layer_less": {"clip_skip": 1},
    "another_seed": {"seed": REQUEST["seed"] + 1},
}


@pytest.mark.parametrize("change", REQUEST_MISTAKES.values(), ids=REQUEST_MISTAKES.keys())
def test_misread_request_is_caught(change, fresh, right):
    difference = compare(*theirs(fresh, REQUEST | change), *right)

    print(difference)
    assert not difference.is_within, difference


def test_a_limit_on_pixels_alone_would_let_mistakes_pass(fresh, right, monkeypatch):
    truncated_pixels(fresh, monkeypatch)

    difference = compare(*theirs(fresh, REQUEST), *right)

    assert difference.pixel_levels <= MAX_PIXEL_LEVELS
    assert not difference.is_within


@contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_another_layout_is_no_mistake(fresh, right):
    fresh.unet.to(memory_format=torch.channels_last)

    assert compare(*theirs(fresh, REQUEST), *right).is_within


def test_another_number_of_threads_is_no_mistake(fresh, right):
    with threads(1):
        difference = compare(*theirs(fresh, REQUEST), *right)

    assert difference.is_within, difference
