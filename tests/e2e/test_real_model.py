"""The real worker on the model that comes with the project."""

import concurrent.futures
import hashlib

import numpy
import pytest
from running_server import BIN, RunningServer, picture_of

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
