"""What the parity tests share: models with random weights, diffusers as the oracle, ssd1b-probe."""

import subprocess
from pathlib import Path

import diffusers
import models
import pytest
import safetensors.torch
import torch
from programs import BIN_DIR, REPO

ICONS = REPO / "models" / "icons"

diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """model_folder("odd"): the folder of a model of models.SPECS, or of the icons model."""
    made = {}

    def folder_of(name):
        if name == "icons":
            return ICONS
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            made[name] = models.save_model(models.SPECS[name], folder, seed=len(name))
        return made[name]

    return folder_of


@pytest.fixture(scope="session")
def oracle(model_folder):
    """oracle("odd"): diffusers' pipeline of that model, on the CPU; loaded once a dtype."""
    loaded = {}

    def pipeline_of(name, dtype=torch.float32):
        if (name, dtype) not in loaded:
            pipe = diffusers.StableDiffusionXLPipeline.from_pretrained(
                model_folder(name), torch_dtype=dtype, add_watermarker=False
            )
            pipe.set_progress_bar_config(disable=True)
            loaded[name, dtype] = pipe
        return loaded[name, dtype]

    return pipeline_of


@pytest.fixture
def probe(model_folder, tmp_path):
    """probe("odd", "unet", {"latents": …}): the tensors that our network answers with. Instead of
    its name, a model's folder."""

    def run(name, module, tensors, *flags):
        contiguous = {key: value.contiguous() for key, value in tensors.items()}
        safetensors.torch.save_file(contiguous, tmp_path / "in.safetensors")
        folder = name if isinstance(name, Path) else model_folder(name)
        command = [BIN_DIR / "ssd1b-probe", module, "--model", folder, *flags]
        command += ["--input", tmp_path / "in.safetensors", "--output", tmp_path / "out.safetensors"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return safetensors.torch.load_file(tmp_path / "out.safetensors")

    return run
