"""OpenAI's, Hugging Face's and Segmind's ways of asking."""

import base64
import json
import time

import pytest
import requests
from running_server import check_error, picture_of


def openai(server, **fields):
    return server.post("/v1/images/generations", {"prompt": "a red apple", **fields})


def test_openai_reply(server):
    reply = openai(server, seed=5, n=2, size="128x64")

    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert isinstance(body["created"], int)
    assert body["size"] == "128x64" and body["output_format"] == "png"
    files = [base64.b64decode(each["b64_json"]) for each in body["data"]]
    expected = [server.generate(seed=seed, width=128, height=64).content for seed in (5, 6)]
    assert files == expected


@pytest.mark.parametrize("model", ["icons", "dall-e-3", "gpt-image-1", None])
def test_openai_model_names(server, model):
    assert openai(server, model=model).status_code == 200


def test_openai_unknown_model(server):
    error = check_error(openai(server, model="other"), 404, "model_not_found", "model")

    assert "icons" in error["message"]


def test_openai_url(server):
    (data,) = openai(server, seed=5, response_format="url").json()["data"]

    reply = requests.get(data["url"], timeout=10)

    assert "b64_json" not in data
    assert reply.headers["Content-Type"] == "image/png"
    assert reply.content == server.generate(seed=5).content
    check_error(server.get("/v1/images/0123/content"), 404, "not_found")


@pytest.mark.parametrize("quality, steps", [
    ("low", 2), ("medium", 4), ("auto", 4), ("standard", 4), ("high", 6), ("hd", 6), (None, 4)])
def test_openai_quality_is_steps(server, quality, steps):
    (data,) = openai(server, seed=5, quality=quality).json()["data"]

    assert base64.b64decode(data["b64_json"]) == server.generate(seed=5, steps=steps).content


def test_openai_given_steps_win_over_quality(server):
    (data,) = openai(server, seed=5, quality="low", num_inference_steps=7).json()["data"]

    assert base64.b64decode(data["b64_json"]) == server.generate(seed=5, steps=7).content


def test_openai_compression_is_quality(server):
    (data,) = openai(server, seed=5, output_format="jpeg", output_compression=0).json()["data"]

    expected = server.generate(seed=5, output_format="jpeg", quality=1).content
    assert base64.b64decode(data["b64_json"]) == expected


def test_openai_fields_without_effect(server):
    reply = openai(server, style="vivid", user="u", moderation="low", background="opaque",
                   safety_identifier="s", stream=False, partial_images=0, size="auto")

    assert reply.status_code == 200, reply.text


def read_stream(reply):
    """(name, data) of every event of a finished stream."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
              for block in reply.text.split("\n\n")]
    return [(block["event"], json.loads(block["data"])) for block in blocks if block]


def test_openai_streams_previews_and_the_picture(server):
    reply = openai(server, seed=5, num_inference_steps=8, stream=True, partial_images=3,
                   output_format="webp")

    assert reply.headers["Content-Type"] == "text/event-stream"
    assert reply.headers["X-Seed"] == "5"
    events = read_stream(reply)
    assert [name for name, data in events] == [
        "image_generation.partial_image"] * 3 + ["image_generation.completed"]
    assert all(data["type"] == name for name, data in events)
    assert [data.get("partial_image_index") for _, data in events] == [0, 1, 2, None]
    files = [base64.b64decode(data["b64_json"]) for _, data in events]
    assert files[-1] == server.generate(seed=5, steps=8, output_format="webp",
                                        quality=100).content
    assert len(set(files)) == 4


def test_openai_streams_come_while_the_picture_is_made(server):
    with requests.post(server.url + "/v1/images/generations", timeout=30, stream=True, json={
            "prompt": "delay=100ms", "num_inference_steps": 10, "stream": True,
            "partial_images": 1}) as reply:
        times = [time.monotonic() for line in reply.iter_lines() if line.startswith(b"event: ")]

    assert len(times) == 2 and times[1] - times[0] > 0.3


def test_openai_streams_tell_of_a_fault(server):
    ((name, data),) = read_stream(openai(server, prompt="nan@2", stream=True))

    assert name == "error" and data["error"]["code"] == "non_finite_output"


@pytest.mark.parametrize("fields, code, param", [
    ({"stream": "yes"}, "invalid_value", "stream"),
    ({"stream": True, "n": 2}, "invalid_value", "n"),
    ({"stream": True, "response_format": "url"}, "invalid_value", "response_format"),
    ({"stream": True, "partial_images": 4}, "invalid_value", "partial_images"),
    ({"background": "transparent"}, "invalid_value", "background"),
    ({"size": "64"}, "invalid_value", "size"),
    ({"size": "65x64"}, "invalid_value", "size"),
    ({"size": "64X64"}, "invalid_value", "size"),
    ({"size": "2048x2048"}, "invalid_value", "size"),
    ({"size": 64}, "invalid_value", "size"),
    ({"n": 9}, "invalid_value", "n"),
    ({"quality": "best"}, "invalid_value", "quality"),
    ({"response_format": "image"}, "invalid_value", "response_format"),
    ({"output_compression": 101}, "invalid_value", "output_compression"),
    ({"output_compression": 50}, "invalid_value", "output_compression"),
    ({"style": "dull"}, "invalid_value", "style"),
    ({"partial_images": 1}, "invalid_value", "partial_images"),
    ({"prompt": ""}, "invalid_value", "prompt"),
    ({"steps": 4}, "unknown_field", "steps"),
    ({"num_inference_steps": 0}, "invalid_value", "num_inference_steps"),
])
def test_openai_refusals(server, fields, code, param):
    check_error(openai(server, **fields), 400, code, param)


@pytest.mark.parametrize("path", ["/", "/models/icons"])
def test_hugging_face(server, path):
    parameters = {"negative_prompt": "b", "width": 72, "height": 64, "num_inference_steps": 3,
                  "guidance_scale": 2.5, "scheduler": "ddim", "seed": 5}

    reply = server.post(path, {"inputs": "p", "parameters": parameters})

    fields = {**parameters, "steps": 3}
    del fields["num_inference_steps"]
    assert reply.headers["Content-Type"] == "image/png"
    assert reply.content == server.generate("p", **fields).content


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/ssd-1b", "/generate-image"])
def test_what_no_dialect_can_make_is_not_acceptable(server, path):
    for body in ({"prompt": "p"}, {"prompt": "p", **({"base64": True} if path == "/v1/ssd-1b" else {})}):
        check_error(server.post(path, body, headers={"Accept": "text/html"}), 406, "not_acceptable")
    assert server.post(path, {"prompt": "p"}, headers={"Accept": "text/html, */*;q=0.1"}).status_code == 200


def test_hugging_face_accept(server):
    reply = server.post("/", {"inputs": "p"}, headers={"Accept": "image/jpeg"})

    assert picture_of(reply).format == "JPEG"
    check_error(server.post("/", {"inputs": "p"}, headers={"Accept": "application/json"}),
                406, "not_acceptable")


@pytest.mark.parametrize("body, code, param", [
    ({}, "missing_field", "inputs"),
    ({"inputs": 1}, "invalid_value", "inputs"),
    ({"inputs": "a", "options": {}}, "unknown_field", "options"),
    ({"inputs": "a", "parameters": 1}, "invalid_value", "parameters"),
    ({"inputs": "a", "parameters": {"steps": 1}}, "unknown_field", "parameters.steps"),
    ({"inputs": "a", "parameters": {"width": 1}}, "invalid_value", "parameters.width"),
])
def test_hugging_face_refusals(server, body, code, param):
    check_error(server.post("/", body), 400, code, param)


def test_hugging_face_unknown_model(server):
    check_error(server.post("/models/org/other", {"inputs": "a"}), 404, "model_not_found")


def test_segmind(server):
    fields = {"prompt": "p", "negative_prompt": "b", "scheduler": "DDIM", "num_inference_steps": 3,
              "guidance_scale": 2.5, "seed": 5, "img_width": 72, "img_height": 64}

    reply = server.post("/v1/ssd-1b", fields)
    as_base64 = server.post("/v1/ssd-1b", {**fields, "base64": True})
    several = server.post("/v1/ssd-1b", {**fields, "base64": True, "samples": 2})

    expected = [
        server.generate("p", negative_prompt="b", scheduler="ddim", steps=3, guidance_scale=2.5,
                        seed=seed, width=72, height=64, output_format="jpeg").content
        for seed in (5, 6)
    ]
    assert reply.headers["Content-Type"] == "image/jpeg"
    assert reply.content == expected[0]
    assert base64.b64decode(as_base64.json()["image"]) == expected[0]
    assert [base64.b64decode(each) for each in several.json()["image"]] == expected


@pytest.mark.parametrize("fields, code, param", [
    ({"samples": 2}, "invalid_value", "samples"),
    ({"scheduler": "Euler b"}, "invalid_value", "scheduler"),
    ({"img_width": 63}, "invalid_value", "img_width"),
    ({"base64": "yes"}, "invalid_value", "base64"),
    ({"width": 64}, "unknown_field", "width"),
])
def test_segmind_refusals(server, fields, code, param):
    check_error(server.post("/v1/ssd-1b", {"prompt": "p", **fields}), 400, code, param)
