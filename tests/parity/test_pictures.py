"""Whole pictures of ssd1b-generate against diffusers, from the same folder, prompt and seed."""

import copy
import json
import shutil
import subprocess
import unittest.mock

import numpy as np
import pytest
import safetensors.torch
import torch
from criterion import MAX_TIMES_OF_ROUNDING, compare
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    StableDiffusionXLPipeline,
    UniPCMultistepScheduler,
)
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from programs import BIN_DIR

PROMPT = "a red apple on a wooden table, 4k!"

# The eight schedulers that most pictures are made with; tests of all names on whole trajectories
# are in test_schedulers.py.
SCHEDULERS = {
    "euler": (EulerDiscreteScheduler, {}),
    "euler_a": (EulerAncestralDiscreteScheduler, {}),
    "ddim": (DDIMScheduler, {}),
    "dpmpp_2m": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++"}),
    "dpmpp_2m_karras": (
        DPMSolverMultistepScheduler,
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True},
    ),
    "unipc": (UniPCMultistepScheduler, {}),
    "lcm": (LCMScheduler, {}),
    "heun": (HeunDiscreteScheduler, {}),
}

# Fields of a request that differ from {prompt, seed 7, 6 steps, guidance 5}.
CASES = {
    "plain": {},
    "negative_text": {"negative_prompt": "ugly, blurry!!"},
    "negative_empty": {"negative_prompt": ""},
    "guidance_0": {"guidance_scale": 0.0},
    "guidance_1": {"guidance_scale": 1.0},
    "guidance_50": {"guidance_scale": 50.0, "steps": 3},
    "one_step": {"steps": 1},
    "long_prompt": {"prompt": "a photo of " + "very " * 90 + "large cats"},
    "specials": {"prompt": "wow! a cat!! <|endoftext|> it's Café 日本 😀"},
    "odd_size": {"width": 136, "height": 72},
    "sizes": {
        "original_width": 640,
        "original_height": 480,
        "target_width": 1024,
        "target_height": 768,
        "crop_top": 32,
        "crop_left": 96,
    },
    "clip_skip": {"clip_skip": 1, "negative_prompt": "blurry"},
    "large_seed": {"seed": 2**64 - 3},
    "seed_above_32_bits": {"seed": 2**32 + 7},
    **{f"scheduler_{name}": {"scheduler": name} for name in SCHEDULERS},
}
# What a model cannot do, or where the oracle itself has no answer.
IMPOSSIBLE = {
    ("icons", "clip_skip"),  # its smaller encoder has two layers
    ("odd", "clip_skip"),
}
MODELS = ["ssd1b", "odd", "sdxl", "vega", "lcm", "vpred", "bare", "icons"]


def request_of(case, model):
    request = {"prompt": PROMPT, "seed": 7, "steps": 6, "guidance_scale": 5.0}
    request |= CASES[case]
    side = 256 if model == "bare" else 128
    factor = 16 if model == "bare" else 8
    request.setdefault("width", side)
    request.setdefault("height", side)
    for side_name in ("width", "height"):
        request[side_name] -= request[side_name] % factor
    return request


def ours(folder, request, tmp_path, *flags):
    """The picture and the latents of ssd1b-generate."""
    command = [BIN_DIR / "ssd1b-generate", "--model", folder, "--output", tmp_path / "picture.png"]
    command += ["--latents", tmp_path / "latents.safetensors", *flags]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in request.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    latents = safetensors.torch.load_file(tmp_path / "latents.safetensors")["latents"][0]
    return np.asarray(Image.open(tmp_path / "picture.png")), latents.numpy()


def seed_of(seed):
    """PyTorch's manual_seed takes the upper half of the 64-bit seeds as negative numbers."""
    return seed - 2**64 if seed >= 2**63 else seed


def theirs(pipe, request):
    """The picture and the latents of diffusers."""
    seen = {}

    def keep(_pipe, _step, _timestep, tensors):
        seen["latents"] = tensors["latents"].detach().clone()
        return tensors

    own_scheduler = pipe.scheduler
    if "scheduler" in request:
        scheduler_class, settings = SCHEDULERS[request["scheduler"]]
        pipe.scheduler = scheduler_class.from_config(own_scheduler.config, **settings)
    try:
        picture = pipe(
            request["prompt"],
            negative_prompt=request.get("negative_prompt"),
            num_inference_steps=request["steps"],
            guidance_scale=request["guidance_scale"],
            width=request["width"],
            height=request["height"],
            clip_skip=request.get("clip_skip"),
            original_size=sizes_of(request, "original"),
            target_size=sizes_of(request, "target"),
            crops_coords_top_left=(request.get("crop_top", 0), request.get("crop_left", 0)),
            generator=torch.Generator("cpu").manual_seed(seed_of(request["seed"])),
            callback_on_step_end=keep,
        ).images[0]
    finally:
        pipe.scheduler = own_scheduler
    return np.asarray(picture), seen["latents"][0].float().numpy()


def sizes_of(request, which):
    """(height, width), or None for the picture's own."""
    if f"{which}_width" not in request:
        return None
    return request[f"{which}_height"], request[f"{which}_width"]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("model", MODELS)
def test_picture_equals_the_oracles(model, case, model_folder, oracle, tmp_path):
    if (model, case) in IMPOSSIBLE:
        pytest.skip("the model has too few layers for it")
    request = request_of(case, model)

    picture, latents = ours(model_folder(model), request, tmp_path)

    their_picture, their_latents = theirs(oracle(model), request)
    difference = compare(picture, latents, their_picture, their_latents)
    assert picture.std() > 10, "a picture without content proves nothing"
    assert difference.has_equal_picture, difference
    if not difference.is_within:
        exact = exactly_theirs(oracle(model), request)
        rounding = max(compare(*each, *exact).latent_stds for each in in_other_orders(oracle(model), request))
        assert compare(picture, latents, *exact).latent_stds <= MAX_TIMES_OF_ROUNDING * rounding, difference


def in_other_orders(pipe, request):
    """What diffusers makes in float32 where sums are taken in another order, each as good as the next."""
    yield theirs(pipe, request)
    plain = copy.deepcopy(pipe)
    plain.unet.set_attn_processor(AttnProcessor())
    yield theirs(plain, request)
    other = copy.deepcopy(pipe)
    other.unet.to(memory_format=torch.channels_last)
    yield theirs(other, request)


def exactly_theirs(pipe, request):
    """What diffusers makes in float64 of the noise that it draws in float32."""
    randn = torch.randn

    def drawn(*arguments, dtype, **more):
        return randn(*arguments, dtype=torch.float32, **more).to(dtype)

    with unittest.mock.patch("torch.randn", drawn):
        return theirs(copy.deepcopy(pipe).to(torch.float64), request)


# The class of model_index.json, and settings that another class saved.
MIXED_SCHEDULERS = {
    "EulerDiscreteScheduler": {
        "_class_name": "DPMSolverMultistepScheduler",
        "algorithm_type": "sde-dpmsolver++",
        "solver_order": 3,
        "use_lu_lambdas": True,
        "final_sigmas_type": "sigma_min",
    },
    "DPMSolverMultistepScheduler": {
        "_class_name": "EulerDiscreteScheduler",
        "use_karras_sigmas": True,
        "sigma_max": 9.0,
        "interpolation_type": "log_linear",
    },
    "DDIMScheduler": {"_class_name": "EDMEulerScheduler", "sigma_min": 0, "sigma_data": 0.5},
}


@pytest.mark.parametrize("of_index", MIXED_SCHEDULERS)
def test_the_index_decides_the_schedulers_class(of_index, model_folder, tmp_path):
    settings = MIXED_SCHEDULERS[of_index]
    folder = tmp_path / "mixed"
    shutil.copytree(model_folder("odd"), folder)
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "scheduler": ["diffusers", of_index]}))
    request = request_of("plain", "odd")

    picture, latents = ours(folder, request, tmp_path)

    pipe = StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False)
    assert type(pipe.scheduler).__name__ == of_index
    difference = compare(picture, latents, *theirs(pipe, request))
    assert difference.is_within, difference


def test_the_pictures_of_one_request_are_those_of_seed_plus_i(model_folder, oracle, tmp_path):
    request = request_of("plain", "ssd1b")
    command = [BIN_DIR / "ssd1b-generate", "--model", model_folder("ssd1b"), "--num-images=3"]
    command += ["--output", tmp_path / "picture.png"]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in request.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    for index in range(3):
        ours_i = np.asarray(Image.open(tmp_path / f"picture-{index + 1}.png"))
        theirs_i, _ = theirs(oracle("ssd1b"), {**request, "seed": request["seed"] + index})
        levels = np.abs(ours_i.astype(int) - theirs_i.astype(int)).max()
        assert levels <= 1, f"picture {index + 1} is off by {levels} levels"


def test_no_negative_prompt_and_an_empty_one_give_different_pictures(model_folder, tmp_path):
    folder = model_folder("ssd1b")  # force_zeros_for_empty_prompt

    without, _ = ours(folder, request_of("plain", "ssd1b"), tmp_path)
    empty, _ = ours(folder, request_of("negative_empty", "ssd1b"), tmp_path)

    assert np.abs(without.astype(int) - empty.astype(int)).max() > 10


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_no_worse_than_the_oracles(dtype, model_folder, oracle, tmp_path):
    request = request_of("plain", "ssd1b")
    torch_dtype = getattr(torch, dtype)
    # The reference: float32 from the noise that this dtype draws, which is other noise.
    noise = torch.randn(
        (1, 4, 16, 16), generator=torch.Generator("cpu").manual_seed(7), dtype=torch_dtype
    )
    exact = oracle("ssd1b")
    reference = np.asarray(
        exact(
            request["prompt"],
            num_inference_steps=request["steps"],
            guidance_scale=request["guidance_scale"],
            width=128,
            height=128,
            latents=noise.float(),
        ).images[0]
    )

    picture, _ = ours(model_folder("ssd1b"), request, tmp_path, f"--dtype={dtype}")
    oracle_picture, _ = theirs(oracle("ssd1b", torch_dtype), request)

    assert psnr(picture, reference) >= psnr(oracle_picture, reference) - 1.0


def psnr(a, b):
    return 10 * np.log10(255**2 / ((a.astype(float) - b.astype(float)) ** 2).mean())
