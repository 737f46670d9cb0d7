"""The training command of models/icons, with its smallest preset: killed in the middle, resumed, exported."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy
import pytest
from conftest import TRAINING
from PIL import Image
from presets import PRESETS

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SSD1B_BIN_DIR", ROOT / "build" / "bin"))
PATIENCE_S = 900  # two minutes on two free cores


def command(folder):
    return [sys.executable, str(TRAINING / "train.py"), "--preset", "smoke", "--out", str(folder)]


def rows(folder, phase):
    """What was written down at each checkpoint of a phase."""
    path = folder / "progress.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [row for row in map(json.loads, lines) if row["phase"] == phase]


def end_after_first_checkpoint(folder, phase, number, *more):
    """Sends a signal to the command alone; returns its exit status once all its processes are gone."""
    with open(folder.with_suffix(".log"), "wb") as log:
        process = subprocess.Popen([*command(folder), *more], stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + PATIENCE_S
        while not rows(folder, phase) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        process.wait(PATIENCE_S)
        with pytest.raises(ProcessLookupError):
            while time.monotonic() < deadline:
                os.killpg(process.pid, 0)
                time.sleep(0.05)
    assert rows(folder, phase), folder.with_suffix(".log").read_text()
    return process.returncode


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder and the third start's output of a run whose VAE phase was stopped and whose UNet phase was
    killed, in two processes both times."""
    folder = tmp_path_factory.mktemp("training") / "run"
    assert end_after_first_checkpoint(folder, "vae", signal.SIGTERM, "--processes", "2") == 143
    assert end_after_first_checkpoint(folder, "unet", signal.SIGKILL, "--processes", "2") == -signal.SIGKILL
    assert not (folder / "model").exists()
    done = subprocess.run(command(folder), capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_a_killed_run_goes_on_from_its_checkpoint(run):
    folder, output = run

    first = rows(folder, "unet")[0]["step"]
    resumed = [line for line in output.splitlines() if line.startswith("unet: resumed at step ")]
    assert len(resumed) == 1 and int(resumed[0].split()[-1]) >= first > 0, output
    assert "vae: resumed" not in output and "bank" not in output, "finished phases must not run again"
    steps = [row["step"] for row in rows(folder, "unet")]
    assert steps == sorted(set(steps)), steps


def test_a_stopped_run_goes_on_where_it_stopped(run):
    steps = [row["step"] for row in rows(run[0], "vae")]

    assert steps == sorted(set(steps)) and steps[-1] == PRESETS["smoke"].vae_steps, steps


@pytest.mark.parametrize("phase", ["vae", "unet"])
def test_losses_fall(run, phase):
    folder, _ = run

    losses = [row["loss"] for row in rows(folder, phase)]
    assert len(losses) > 1 and losses[-1] < 0.97 * losses[0], losses


def test_a_vae_is_taken_from_a_model_folder(run, tmp_path):
    from safetensors.torch import load_file

    vae = run[0] / "model" / "vae" / "diffusion_pytorch_model.safetensors"
    done = subprocess.run([*command(tmp_path), "--vae", run[0] / "model", "--set", "unet_steps=2", "decoder_steps=0"],
                          capture_output=True, text=True, timeout=PATIENCE_S)

    assert done.returncode == 0, done.stdout + done.stderr
    assert not rows(tmp_path, "vae") and rows(tmp_path, "unet")
    again = load_file(tmp_path / "model" / "vae" / vae.name)
    assert all((again[name] == value).all() for name, value in load_file(vae).items())


def test_a_vae_of_other_channels_is_refused(run):
    icons = TRAINING.parent

    done = subprocess.run([*command(run[0]), "--vae", icons], capture_output=True, text=True, timeout=PATIENCE_S)

    assert done.returncode == 1 and done.stderr.startswith("--vae must have the preset's channels"), done.stderr


def test_a_run_that_began_with_another_vae_is_not_given_one(run, tmp_path):
    import torch

    other = {name: value + 1 for name, value in torch.load(run[0] / "vae_whitened.pt").items()}
    torch.save(other, tmp_path / "vae_whitened.pt")
    done = subprocess.run([*command(tmp_path), "--vae", run[0] / "model"], capture_output=True, text=True,
                          timeout=PATIENCE_S)

    assert done.returncode == 1 and "goes on with the VAE that it began with" in done.stderr, done.stderr


@pytest.fixture(scope="module")
def picture(run):
    """What diffusers draws with the exported folder, [64, 64, 3]."""
    from drawing import Model

    (drawn,) = Model(run[0] / "model", "cpu").draw(["a red apple"], [0])
    return drawn


def test_diffusers_draws_with_the_exported_folder(picture):
    assert picture.shape == (64, 64, 3) and picture.std() > 0


def test_the_exported_weights_are_those_that_were_trained(run):
    import torch
    from safetensors.torch import load_file

    exported = load_file(run[0] / "model" / "unet" / "diffusion_pytorch_model.safetensors")
    state = torch.load(run[0] / "unet.pt")
    raw = state["networks"]["unet"]

    assert exported.keys() == raw.keys()
    assert all(value.dtype == torch.float16 for value in exported.values())
    averages = state["average"]
    shapes = sorted(tuple(a.shape) for a in averages[: len(raw)])
    assert shapes == sorted(tuple(v.shape) for v in exported.values())
    assert torch.isclose(sum(a.double().sum() for a in averages[: len(raw)]),
                         sum(v.double().sum() for v in exported.values()), atol=0.5)


@pytest.mark.skipif(not (BIN / "ssd1b-worker").exists(), reason="built without the inference wing")
def test_our_programs_draw_the_same_with_it(run, picture, tmp_path):
    done = subprocess.run([BIN / "ssd1b-generate", "--model", run[0] / "model", "--device", "cpu", "--prompt",
                           "a red apple", "--seed", "0", "--output", tmp_path / "apple.png"],
                          capture_output=True, text=True, timeout=PATIENCE_S)

    assert done.returncode == 0, done.stderr
    ours = numpy.asarray(Image.open(tmp_path / "apple.png"), dtype=int)
    assert numpy.abs(ours - picture).max() <= 1
