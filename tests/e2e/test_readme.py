"""The README's examples, run as they are written but for the server's address."""

import re
import subprocess
import sys

import pytest
from PIL import Image
from running_server import BIN, ROOT, RunningServer

WORKER = BIN / "ssd1b-worker"
README = (ROOT / "README.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.skipif(not WORKER.exists(), reason="built without the inference wing")


@pytest.fixture(scope="module")
def address():
    with RunningServer("--device", "cpu", worker=WORKER) as running:
        running.wait_until_ready(seconds=180)
        yield running.url.removeprefix("http://")


def blocks(language):
    """The fenced blocks of a language; "" for those without one."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for of, text in fenced if of == language]


def test_the_curl_line(address, tmp_path):
    [example] = [block for block in blocks("") if block.startswith("curl")]
    assert "localhost:5000" in example

    subprocess.run(
        ["bash", "-euc", example.replace("localhost:5000", address)], cwd=tmp_path, check=True
    )

    assert Image.open(tmp_path / "apple.png").size == (128, 128)


def test_the_python_example(address, tmp_path):
    [example] = blocks("python")
    assert "localhost:5000" in example

    done = subprocess.run(
        [sys.executable, "-c", example.replace("localhost:5000", address)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )

    assert Image.open(tmp_path / "car.png").size == (128, 128)
    assert done.stdout.startswith("1 ")  # the seed


def test_the_command_without_http(tmp_path):
    [example] = [block for block in blocks("") if block.startswith("build/bin/ssd1b-generate")]

    subprocess.run(
        ["bash", "-euc", example.replace("build/bin", str(BIN))], cwd=tmp_path, check=True
    )

    assert Image.open(tmp_path / "apple.png").format == "PNG"


def test_every_flag_that_is_named_exists():
    named = set(re.findall(r"`(--[a-z][a-z-]+)", README))
    known = ""
    for program in ("ssd1b-server", "ssd1b-generate"):
        known += subprocess.run(
            [BIN / program, "--help"], capture_output=True, text=True, check=True
        ).stdout

    assert named and {flag for flag in named if flag not in known} == set()
