"""POST /generate-image: replies, formats, seeds."""

import concurrent.futures
import re

import pytest
from running_server import check_error, picture_of, pictures_of, wait_for

MEDIA = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


def test_the_reply_is_the_picture_itself(server):
    reply = server.generate(seed=7)

    picture = picture_of(reply)
    assert reply.headers["Content-Type"] == "image/png"
    assert picture.format == "PNG" and picture.mode == "RGB" and picture.size == (64, 64)
    assert reply.headers["X-Seed"] == "7"
    assert reply.headers["X-Model"] == "icons"
    assert reply.headers["X-Prompt-Tokens"] == "5/77"
    assert "X-Warning" not in reply.headers
    stages = r"queue;dur=[\d.]+, text_encoder;dur=[\d.]+, denoise;dur=[\d.]+, vae;dur=[\d.]+, encode;dur=[\d.]+"
    assert re.fullmatch(stages, reply.headers["Server-Timing"])
    assert int(reply.headers["Content-Length"]) == len(reply.content)


def test_png_has_no_chunk_beyond_the_picture(server):
    data = server.generate(seed=7).content

    chunks, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append(data[at + 4 : at + 8])
        at += 12 + length
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}


@pytest.mark.parametrize("name", MEDIA)
def test_output_formats(server, name):
    reply = server.generate(seed=1, output_format=name)

    assert reply.headers["Content-Type"] == MEDIA[name]
    assert picture_of(reply).format.lower() == name


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_quality_changes_the_size_of_the_file(server, name):
    sizes = [
        len(server.generate(seed=1, output_format=name, quality=quality, width=256).content)
        for quality in (1, 50, 100)
    ]

    assert sizes == sorted(sizes) and sizes[0] < sizes[2]


@pytest.mark.parametrize(
    "accept, expected",
    [
        ("*/*", "image/png"),
        ("image/*", "image/png"),
        ("image/webp", "image/webp"),
        ("image/png;q=0.1, image/jpeg;q=0.2", "image/jpeg"),
        ("image/avif, image/webp, */*;q=0.8", "image/webp"),
        ("application/json", "application/json"),
        ("application/json, */*", "image/png"),
        ("application/json, image/webp", "image/webp"),
    ],
)
def test_accept_chooses(server, accept, expected):
    reply = server.generate(seed=1, headers={"Accept": accept})

    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"].split(";")[0] == expected


@pytest.mark.parametrize("accept", ["text/html", "image/gif", "image/*;q=0, text/plain", "nonsense"])
def test_accept_that_names_nothing_we_make(server, accept):
    check_error(server.generate(headers={"Accept": accept}), 406, "not_acceptable")


def test_a_format_that_accept_rules_out(server):
    reply = server.generate(output_format="jpeg", headers={"Accept": "image/png"})

    check_error(reply, 406, "not_acceptable")


def test_json_reply(server):
    reply = server.generate(
        "word " * 91, seed=3, num_images=3, response_format="b64_json", guidance_scale=1,
        negative_prompt="b",
    )

    body = reply.json()
    assert set(body) == {
        "created", "model", "images", "timings_ms", "prompt_tokens", "prompt_token_limit", "warnings",
    }
    assert [each["seed"] for each in body["images"]] == [3, 4, 5]
    assert body["model"] == "icons"
    assert (body["prompt_tokens"], body["prompt_token_limit"]) == (93, 77)
    assert set(body["timings_ms"]) == {"queue", "text_encoder", "denoise", "vae", "encode"}
    codes = {each["code"] for each in body["warnings"]}
    assert codes == {"prompt_truncated", "negative_prompt_unused"}
    assert all(each["message"] for each in body["warnings"])
    assert len(set(pictures_of(reply))) == 3


def test_warnings_are_a_header_too(server):
    reply = server.generate("word " * 91, guidance_scale=0.5, negative_prompt="b")

    warnings = set(reply.headers["X-Warning"].split(", "))
    assert warnings == {"prompt_truncated", "negative_prompt_unused"}
    assert reply.headers["X-Prompt-Tokens"] == "93/77"


def test_picture_i_of_a_request_is_the_picture_of_seed_plus_i(server):
    together = pictures_of(server.generate(seed=11, n=4, response_format="b64_json"))

    assert together == [server.generate(seed=11 + i).content for i in range(4)]


def test_one_image_as_json_is_the_same_file(server):
    reply = server.generate(seed=5, response_format="b64_json", output_format="webp")

    assert pictures_of(reply) == [server.generate(seed=5, output_format="webp").content]


@pytest.mark.parametrize("seed", [None, -1])
def test_a_random_seed_is_reported_and_makes_the_same_picture_again(server, seed):
    first, second = server.generate(seed=seed), server.generate(seed=seed)

    assert 0 <= int(first.headers["X-Seed"]) < 2**32
    assert first.headers["X-Seed"] != second.headers["X-Seed"]
    assert server.generate(seed=int(first.headers["X-Seed"])).content == first.content


def test_seeds_are_exact_up_to_64_bits(server):
    for seed in (0, 2**53 + 1, 2**64 - 1):
        assert server.generate(seed=seed).headers["X-Seed"] == str(seed)
    last = server.generate(seed=2**64 - 2, n=2, response_format="b64_json")
    assert [each["seed"] for each in last.json()["images"]] == [2**64 - 2, 2**64 - 1]
    beyond = server.generate(seed=2**64 - 1, n=2, response_format="b64_json")
    check_error(beyond, 400, "invalid_value", "seed")


def test_null_and_empty_negative_prompt_are_different_pictures(server):
    null = server.generate(seed=1, negative_prompt=None).content
    empty = server.generate(seed=1, negative_prompt="").content

    assert null != empty
    assert server.generate(seed=1).content == null  # the model has no default of its own


def test_every_field_reaches_the_engine(server):
    plain = server.generate(seed=1, width=128, height=128).content
    fields = {
        "negative_prompt": "b", "steps": 5, "guidance_scale": 3.25, "scheduler": "ddim",
        "original_width": 1, "original_height": 1, "target_width": 1, "target_height": 1,
        "crop_top": 1, "crop_left": 1, "clip_skip": 1,
    }

    for name, value in fields.items():
        changed = server.generate(seed=1, width=128, height=128, **{name: value})
        assert changed.status_code == 200, changed.text
        assert changed.content != plain, name


def test_aliases_mean_the_same(server):
    own = server.generate("p", seed=1, steps=3, guidance_scale=2, scheduler="heun")
    aliases = {
        "text": "p", "seed": 1, "num_inference_steps": 3, "cfg_scale": 2.0,
        "sampler": "HeunDiscreteScheduler", "num_images_per_prompt": 1,
    }

    assert server.post("/generate-image", aliases).content == own.content


def test_embedded_metadata_is_only_there_when_asked_for(server):
    for name in MEDIA:
        plain = server.generate("a secret word", seed=1, output_format=name)
        marked = server.generate("a secret word", seed=1, output_format=name, embed_metadata=True)

        assert b"secret" not in plain.content
        assert b"secret" in marked.content, name
        assert picture_of(marked).tobytes() == picture_of(plain).tobytes()


@pytest.mark.parametrize("clients", [1, 8])
def test_the_same_request_gives_the_same_bytes_in_any_company(server, clients):
    seeds = list(range(40))
    expected = {seed: server.generate(seed=seed).content for seed in seeds[:8]}

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        contents = list(pool.map(lambda seed: server.generate(seed=seed % 8).content, seeds))

    assert contents == [expected[seed % 8] for seed in seeds]


def test_request_ids(server):
    own = server.generate(headers={"X-Request-Id": "My-id_1.2"})
    strange = server.generate(headers={"X-Request-Id": "two words"})
    none = server.generate()

    assert own.headers["X-Request-Id"] == "My-id_1.2"
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", strange.headers["X-Request-Id"])
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", none.headers["X-Request-Id"])
    assert strange.headers["X-Request-Id"] != none.headers["X-Request-Id"]


def test_the_log_has_the_time_of_every_stage_where_debug_is_wanted(start):
    server = start("--log-level", "debug")

    assert server.generate("delay=5ms", headers={"X-Request-Id": "timed"}).status_code == 200

    wait_for(lambda: "pictures made request_id=timed" in server.text_of_log())
    (record,) = [line for line in server.text_of_log().splitlines() if "pictures made" in line]
    for stage in ("queue", "text_encoder", "denoise", "vae", "encode"):
        assert re.search(rf"\b{stage}_ms=[0-9]", record), record
