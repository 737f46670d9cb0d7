"""The command lines and lines of Python that people are told to use."""

import json
import shutil
import subprocess

import pytest
import requests
from PIL import Image

CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="no curl")


def curl(*arguments):
    return subprocess.run([CURL, "-sS", *arguments], capture_output=True, text=True, timeout=60)


@needs_curl
def test_curl_with_a_content_type(server, tmp_path):
    file = tmp_path / "apple.png"

    ended = curl(server.url + "/generate-image", "-H", "Content-Type: application/json",
                 "-d", '{"prompt": "a red apple", "seed": 7}', "-o", str(file))

    assert ended.returncode == 0, ended.stderr
    assert Image.open(file).format == "PNG"


@needs_curl
def test_curl_json(server, tmp_path):
    file = tmp_path / "apple.png"

    ended = curl("--fail-with-body", server.url + "/generate-image", "--json",
                 '{"prompt": "a red apple", "seed": 7}', "-H", "Accept: image/png", "-o", str(file))

    assert ended.returncode == 0, ended.stderr
    assert Image.open(file).format == "PNG"


@needs_curl
def test_curl_json_alone_asks_for_json(server):
    ended = curl(server.url + "/generate-image", "--json", '{"prompt": "a red apple", "seed": 7}')

    assert json.loads(ended.stdout)["images"][0]["seed"] == 7


@needs_curl
def test_curl_shows_what_is_wrong(server):
    ended = curl("--fail-with-body", server.url + "/generate-image", "-d", '{"prompt": "a"}')

    assert ended.returncode == 22
    assert "Content-Type: application/json" in json.loads(ended.stdout)["error"]["message"]


def test_requests_in_five_lines(server, tmp_path):
    reply = requests.post(server.url + "/generate-image", json={"prompt": "a red apple", "seed": 7})
    reply.raise_for_status()
    with open(tmp_path / "apple.png", "wb") as file:
        file.write(reply.content)

    assert Image.open(tmp_path / "apple.png").size == (64, 64)
