"""The real worker on the model that comes with the project."""

import concurrent.futures
import hashlib
import json
import shutil
import subprocess

import numpy
import pytest
from PIL import Image
from running_server import BIN, ICONS, RunningServer, picture_of, run_server

WORKER = BIN / "ssd1b-worker"
pytestmark = pytest.mark.skipif(not WORKER.exists(), reason="built without the inference wing")


@pytest.fixture(scope="module")
def real():
    with RunningServer("--device", "cpu", worker=WORKER) as running:
        running.wait_until_ready(seconds=180)
        yield running


def test_a_red_apple_is_red_in_the_middle(real):
    reply = real.generate("a red apple", seed=7)

    picture = picture_of(reply)
    assert picture.format == "PNG" and picture.size == (128, 128)
    assert reply.headers["X-Model"] == "icons"
    pixels = numpy.asarray(picture, dtype=float)
    red, green, blue = pixels[48:80, 48:80].reshape(-1, 3).mean(axis=0)
    assert red > 1.5 * green and red > 1.5 * blue, (red, green, blue)
    assert pixels.std() > 10


def digest(reply):
    assert reply.status_code == 200, reply.text
    return hashlib.sha256(reply.content).hexdigest()


def test_the_same_seed_is_the_same_picture_alone_and_among_others(real):
    alone = digest(real.generate("a red apple", seed=7, steps=4))
    assert digest(real.generate("a red apple", seed=7, steps=4)) == alone

    others = ["a green leaf", "a blue cup", "a yellow star", "a red apple", "a house", "a fish", "a tree"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        company = [
            pool.submit(real.generate, prompt, seed=100 + i, steps=2 + i % 3)
            for i, prompt in enumerate(others)
        ]
        among = pool.submit(real.generate, "a red apple", seed=7, steps=4)

        assert digest(among.result()) == alone
        assert all(each.result().status_code == 200 for each in company)


def test_what_the_model_says_of_itself(real):
    (model,) = real.get("/v1/models").json()["data"]

    assert model["device"] == "cpu" and model["dtype"] == "float32"
    assert (model["defaults"]["width"], model["defaults"]["height"]) == (128, 128)
    assert real.get("/version").json()["libtorch"]


def test_a_long_prompt_is_cut_and_says_so(real):
    reply = real.generate("a red apple " * 40, seed=1, steps=2)

    assert "prompt_truncated" in reply.headers["X-Warning"]
    needed, limit = reply.headers["X-Prompt-Tokens"].split("/")
    assert int(needed) == 122 and limit == "77"


def test_a_model_trained_smaller_than_any_request_draws_the_smallest_picture(tmp_path):
    folder = tmp_path / "small"
    shutil.copytree(ICONS, folder)
    (folder / "generation_config.json").unlink()
    config = json.loads((folder / "unet/config.json").read_text())
    (folder / "unet/config.json").write_text(json.dumps({**config, "sample_size": 4}))

    arguments = ["--model", folder, "--device", "cpu", "--prompt", "a cat", "--steps", "1"]
    subprocess.run([BIN / "ssd1b-generate", *arguments, "--output", tmp_path / "cat.png"], check=True)

    assert Image.open(tmp_path / "cat.png").size == (64, 64)


def test_a_server_that_could_not_make_its_models_own_picture_does_not_start():
    ended = run_server("--port", "0", "--model", ICONS, "--device", "cpu", "--max-pixels", "4096", seconds=180)

    assert ended.returncode == 64, ended.stderr
    assert "--max-pixels must be at least 16384" in ended.stderr


def test_a_file_that_cannot_be_written_is_known_before_the_picture_is_made(tmp_path):
    arguments = ["--model", ICONS, "--device", "cpu", "--prompt", "a cat", "--steps", "1"]
    arguments += ["--output", tmp_path / "cat.png", "--latents", tmp_path / "none" / "latents"]
    ended = subprocess.run([BIN / "ssd1b-generate", *arguments], capture_output=True, text=True)

    assert ended.returncode == 71
    assert "none/latents cannot be written: No such file" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_tokenizers_of_two_lengths_are_a_bad_model(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(ICONS, model, ignore=shutil.ignore_patterns("training"))
    file = model / "tokenizer_2" / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_max_length": 50}))

    done = subprocess.run([BIN / "ssd1b-generate", "--model", model, "--prompt", "a"], capture_output=True, text=True,
                          cwd=tmp_path, timeout=120)

    assert done.returncode == 65
    assert "tokenizer_2: model_max_length must be the first tokenizer's, 77, got 50" in done.stderr
