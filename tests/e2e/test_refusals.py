"""What /generate-image refuses, and how it says so."""

import json

import pytest
import requests
from running_server import check_error


def test_content_type_must_be_json(server):
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"},
                    {"Content-Type": "application/json; charset=latin1"}):
        reply = requests.post(server.url + "/generate-image", data=b'{"prompt": "a"}', headers=headers)

        error = check_error(reply, 415, "unsupported_media_type")
        assert "Content-Type: application/json" in error["message"]


@pytest.mark.parametrize("value", ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])
def test_content_type_with_utf8(server, value):
    reply = requests.post(
        server.url + "/generate-image", data=b'{"prompt": "a"}', headers={"Content-Type": value}
    )

    assert reply.status_code == 200, reply.text


def test_content_encoding_is_refused(server):
    reply = server.generate(headers={"Content-Encoding": "gzip"})

    check_error(reply, 415, "unsupported_media_type")


def post_text(server, body):
    return requests.post(
        server.url + "/generate-image", data=body, headers={"Content-Type": "application/json"}
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"prompt": "a",}', b'{"prompt": "a"} x', b'\xef\xbb\xbf{"prompt": "a"}',
     b'{"prompt": "\xff"}', b'{"prompt": "\\ud800"}', b'{"prompt": "a", "seed": NaN}',
     b'{"prompt": "a", "guidance_scale": 1e400}', b'{"prompt": "a" /* c */}',
     b'{"prompt": "a", "seed": ' + b"[" * 40 + b"]" * 40 + b"}",
     b'{"prompt": "a", "seed": ' + b"[" * 100000],
)
def test_bodies_that_are_no_json(server, body):
    check_error(post_text(server, body), 400, "invalid_json")


def test_a_name_given_twice(server):
    check_error(post_text(server, b'{"prompt": "a", "seed": 1, "seed": 1}'), 400, "duplicate_field", "seed")
    check_error(post_text(server, b'{"prompt": "a", "text": "a"}'), 400, "duplicate_field", "text")


@pytest.mark.parametrize("body", ["[]", '"a"', "1", "null", "true"])
def test_bodies_that_are_no_object(server, body):
    check_error(post_text(server, body), 400, "invalid_value")


@pytest.mark.parametrize(
    "fields, code, param",
    [
        ({"promt": "a"}, "unknown_field", "promt"),
        ({"n_iter": 1}, "unknown_field", "n_iter"),
        ({"image": "x"}, "not_supported", "image"),
        ({"mask": "x"}, "not_supported", "mask"),
        ({"strength": 1}, "not_supported", "strength"),
        ({"loras": []}, "not_supported", "loras"),
        ({"prompt_2": "x"}, "not_supported", "prompt_2"),
        ({"negative_prompt_2": "x"}, "not_supported", "negative_prompt_2"),
        ({"model": "x"}, "not_supported", "model"),
        ({"prompt": None}, "invalid_value", "prompt"),
        ({"prompt": ""}, "invalid_value", "prompt"),
        ({"prompt": "a\x00"}, "invalid_value", "prompt"),
        ({"prompt": "a\x9f"}, "invalid_value", "prompt"),
        ({"prompt": "a\r"}, "invalid_value", "prompt"),
        ({"prompt": "a" * 4097}, "invalid_value", "prompt"),
        ({"prompt": "\u20ac" * 1366}, "invalid_value", "prompt"),
        ({"num_inference_steps": 0}, "invalid_value", "num_inference_steps"),
        ({"scheduler": "none"}, "invalid_value", "scheduler"),
        ({"scheduler": "lcm", "steps": 51}, "invalid_value", "steps"),
        ({"num_images": 2}, "invalid_value", "num_images"),
        ({"quality": 50}, "invalid_value", "quality"),
        ({"width": 2048, "height": 2048}, "invalid_value", "width"),
        ({"seed": 2**64}, "invalid_value", "seed"),
    ],
)
def test_bad_fields_are_named(server, fields, code, param):
    error = check_error(server.post("/generate-image", {"prompt": "a", **fields}), 400, code, param)

    assert param in error["message"] or "width" in error["message"]


def test_the_prompt_is_required(server):
    check_error(server.post("/generate-image", {"seed": 1}), 400, "missing_field", "prompt")


def schema_ranges():
    """Field, smallest, largest, step: min-1, min, max, max+1 of every integer."""
    return [
        ("width", 64, 2048, 8), ("height", 64, 2048, 8), ("steps", 1, 150, 1),
        ("timeout_ms", 1, 7200000, 1), ("original_width", 0, 8192, 1),
        ("original_height", 0, 8192, 1), ("target_width", 0, 8192, 1), ("target_height", 0, 8192, 1),
        ("crop_top", 0, 8192, 1), ("crop_left", 0, 8192, 1), ("clip_skip", 0, 10, 1),
    ]


@pytest.mark.parametrize("field, low, high, step", schema_ranges())
def test_both_edges_of_every_integer_and_one_past_each(server, field, low, high, step):
    for value in (low, high):
        reply = server.generate(**{field: value})
        is_good = reply.status_code == 200 or (field == "timeout_ms" and reply.status_code == 504)
        assert is_good, (value, reply.text)
    for value in (low - step, low - 1, high + 1, high + step, low + 0.5, str(low), None, True, 10**30):
        check_error(server.generate(**{field: value}), 400, "invalid_value", field)


def test_sides_are_multiples_of_8(server):
    for value in (65, 68, 500, 2047):
        check_error(server.generate(width=value), 400, "invalid_value", "width")


def test_numbers_may_be_written_with_a_point(server):
    text = b'{"prompt": "a", "seed": 7.0, "steps": 4.0, "width": 64.0, "guidance_scale": 7}'

    assert post_text(server, text).headers["X-Seed"] == "7"


def test_guidance_edges(server):
    for value in (0, 1, 50, 0.0, 49.99):
        assert server.generate(guidance_scale=value).status_code == 200
    for value in (-0.01, 50.01, "7", None):
        check_error(server.generate(guidance_scale=value), 400, "invalid_value", "guidance_scale")


@pytest.mark.parametrize("count", [0, 9, 10**9, 1.5, "2", None])
def test_number_of_images_edges(server, count):
    reply = server.generate(n=count, response_format="b64_json")

    check_error(reply, 400, "invalid_value", "n")


def test_a_prompt_of_4096_bytes_is_taken(server):
    assert server.generate("a" * 4096).status_code == 200
    assert server.generate("\u20ac" * 1365 + "a").status_code == 200


@pytest.mark.parametrize("prompt", [" ", "a\tb\nc", "\u202eabc", "\U0001f469\u200d\U0001f680", "\u00a0"])
def test_prompts_of_every_kind(server, prompt):
    assert server.generate(prompt).status_code == 200


def test_messages_do_not_repeat_the_prompt(server):
    replies = [
        server.generate("secret", width=1),
        server.generate("secret\x01"),
        post_text(server, b'{"prompt": "secret", "seed": }'),
    ]

    for reply in replies:
        assert reply.status_code == 400
        assert "secret" not in reply.text
    assert "secret" not in server.text_of_log()


def test_operators_limits(start):
    server = start("--max-pixels", "65536", "--max-images", "2", "--request-timeout", "5")

    assert server.generate(width=256, height=256).status_code == 200
    check_error(server.generate(width=264, height=256), 400, "invalid_value", "width")
    assert server.generate(n=2, response_format="b64_json").status_code == 200
    check_error(server.generate(n=3, response_format="b64_json"), 400, "invalid_value", "n")
    assert server.generate(timeout_ms=5000).status_code == 200
    check_error(server.generate(timeout_ms=5001), 400, "invalid_value", "timeout_ms")


def test_a_body_over_256_kib(server):
    body = json.dumps({"prompt": "a", "negative_prompt": "b" * 262144})

    check_error(post_text(server, body.encode()), 413, "body_too_large")


def test_a_refused_head_keeps_its_request_id_and_origin(start):
    server = start("--cors-origin", "https://example.org")
    headers = {"X-Request-Id": "mine", "Origin": "https://example.org", "Content-Encoding": "gzip"}

    reply = requests.post(server.url + "/generate-image", data=b"{}", headers=headers, timeout=20)

    check_error(reply, 415, "unsupported_media_type")
    assert reply.headers["X-Request-Id"] == "mine"
    assert reply.headers["Access-Control-Allow-Origin"] == "https://example.org"
