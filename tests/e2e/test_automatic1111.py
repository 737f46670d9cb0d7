"""Automatic1111's web UI as its clients know it: pictures, what is asked beside them, interrupt."""

import base64
import concurrent.futures
import io
import json

import pytest
import requests
from PIL import Image
from running_server import BIN, RunningServer, check_error, wait_for

API = "/sdapi/v1/"

# What the Python package webuiapi sends of its own accord.
WEBUIAPI = {
    "enable_hr": False, "hr_scale": 2, "hr_upscaler": "Latent", "hr_second_pass_steps": 0,
    "hr_resize_x": 0, "hr_resize_y": 0, "denoising_strength": 0.7, "firstphase_width": 0,
    "firstphase_height": 0, "styles": [], "seed": -1, "subseed": -1, "subseed_strength": 0.0,
    "seed_resize_from_h": 0, "seed_resize_from_w": 0, "batch_size": 1, "n_iter": 1, "steps": 20,
    "cfg_scale": 7.0, "width": 512, "height": 512, "restore_faces": False, "tiling": False,
    "do_not_save_samples": False, "do_not_save_grid": False, "negative_prompt": "", "eta": 1.0,
    "s_churn": 0, "s_tmax": 0, "s_tmin": 0, "s_noise": 1, "override_settings": {},
    "override_settings_restore_afterwards": True, "sampler_name": "Euler a",
    "sampler_index": "Euler a", "script_name": None, "script_args": [], "send_images": True,
    "save_images": False, "alwayson_scripts": {},
}


def txt2img(server, prompt="a red apple", headers=None, **fields):
    return server.post(API + "txt2img", {"prompt": prompt, **fields}, headers=headers)


def progress(server, headers=None):
    return server.get(API + "progress", headers=headers).json()


def files_of(reply):
    assert reply.status_code == 200, reply.text
    return [base64.b64decode(each, validate=True) for each in reply.json()["images"]]


def test_a_request_of_webuiapi(server):
    reply = txt2img(server, **{**WEBUIAPI, "seed": 5})

    (file,) = files_of(reply)
    assert file == server.generate(seed=5, steps=20, guidance_scale=7, width=512, height=512,
                                   scheduler="euler_a", negative_prompt=None).content
    info = json.loads(reply.json()["info"])
    assert info["seed"] == 5 and info["all_seeds"] == [5] and info["steps"] == 20
    assert info["sampler_name"] == "Euler a" and info["sd_model_name"] == "icons"
    assert info["infotexts"] == [
        "a red apple\nSteps: 20, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7.0, "
        "Seed: 5, Size: 512x512, Model: icons"]
    assert reply.json()["parameters"]["prompt"] == "a red apple"
    assert "parameters" not in Image.open(io.BytesIO(file)).info  # nothing in the file unasked


def test_a_request_of_sillytavern(server):
    reply = txt2img(
        server, negative_prompt="b", sampler_name="DPM++ 2M", scheduler="karras", steps=20,
        cfg_scale=7, width=128, height=64, restore_faces=False, enable_hr=False,
        hr_upscaler="Latent", hr_scale=2, hr_additional_modules=[], denoising_strength=0.7,
        hr_second_pass_steps=0, override_settings={"CLIP_stop_at_last_layers": 1},
        override_settings_restore_afterwards=True, clip_skip=1, save_images=True, send_images=True,
        do_not_save_grid=False, do_not_save_samples=False, seed=5,
        headers={"Authorization": "Basic "})

    (file,) = files_of(reply)
    assert file == server.generate(
        seed=5, steps=20, guidance_scale=7, width=128, height=64, negative_prompt="b",
        scheduler="dpmpp_2m_karras").content


def test_a_request_of_open_webui_has_the_models_defaults(server):
    reply = txt2img(server, seed=5, batch_size=2, width=128, height=64, headers={"Authorization": ""})

    assert files_of(reply) == [
        server.generate(seed=seed, width=128, height=64).content for seed in (5, 6)]


def test_a_batch_is_batch_size_times_n_iter(server):
    reply = txt2img(server, batch_size=2, n_iter=3, seed=2**32)

    assert len(set(files_of(reply))) == 6
    info = json.loads(reply.json()["info"])
    assert info["all_seeds"] == [2**32 + i for i in range(6)]
    error = check_error(txt2img(server, batch_size=3, n_iter=3), 400, "invalid_value", "n_iter")
    assert "8" in error["message"]


def test_formats(server):
    for name, kind in (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")):
        (file,) = files_of(txt2img(server, override_settings={"samples_format": name}))
        assert Image.open(io.BytesIO(file)).format == kind


@pytest.mark.parametrize("fields, status, code, param", [
    ({"enable_hr": True}, 400, "not_supported", "enable_hr"),
    ({"script_name": "x/y/z plot"}, 400, "not_supported", "script_name"),
    ({"alwayson_scripts": {"ControlNet": {"args": [{"model": "m"}]}}}, 400, "not_supported",
     "alwayson_scripts"),
    ({"prompt": "an apple <lora:add-detail:0.8>"}, 400, "not_supported", "prompt"),
    ({"prompt": ""}, 400, "invalid_value", "prompt"),
    ({"prompt": "a\x00b"}, 400, "invalid_value", "prompt"),
    ({"sampler_name": "DPM++ 2S a"}, 400, "invalid_value", "sampler_name"),
    ({"sampler_name": "Euler a", "scheduler": "Karras"}, 400, "invalid_value", "scheduler"),
    ({"override_settings": {"sd_model_checkpoint": "v1-5"}}, 404, "model_not_found",
     "override_settings.sd_model_checkpoint"),
    ({"width": 500}, 400, "invalid_value", "width"),
])
def test_refusals(server, fields, status, code, param):
    check_error(txt2img(server, **fields), status, code, param)


def test_what_a_client_asks_first(server):
    samplers = server.get(API + "samplers").json()
    schedulers = server.get(API + "schedulers").json()
    (model,) = server.get(API + "sd-models").json()
    options = server.get(API + "options").json()
    memory = server.get(API + "memory").json()

    assert {"Euler a", "Euler", "DPM++ 2M", "DDIM", "LCM"} <= {each["name"] for each in samplers}
    assert all(set(each) == {"name", "aliases", "options"} for each in samplers)
    assert [each["label"] for each in schedulers] == ["Automatic", "Uniform", "Karras"]
    assert model == {"title": "icons", "model_name": "icons", "hash": None, "sha256": None,
                     "filename": "icons", "config": None}
    assert options["sd_model_checkpoint"] == "icons" and options["samples_format"] == "png"
    assert memory["ram"]["total"] > memory["ram"]["used"] > 0 and "cuda" in memory
    assert server.get(API + "loras").json() == []
    assert [each["name"] for each in server.get(API + "upscalers").json()] == ["None"]
    assert isinstance(server.get(API + "cmd-flags").json(), dict)


def test_every_listed_sampler_makes_a_picture(server):
    for sampler in server.get(API + "samplers").json():
        assert len(files_of(txt2img(server, sampler_name=sampler["name"], steps=5))) == 1, sampler


def test_options_stay_what_they_are(server):
    options = server.get(API + "options").json()

    assert server.post(API + "options", options).json() is None
    check_error(server.post(API + "options", {"sd_model_checkpoint": "v1-5"}), 404,
                "model_not_found", "sd_model_checkpoint")
    check_error(server.post(API + "options", {"samples_format": "webp"}), 400, "not_supported",
                "samples_format")
    check_error(requests.post(server.url + API + "options", data="{}", timeout=10), 415,
                "unsupported_media_type")


def test_png_info(server):
    file = server.generate("an \u00e9 apple", seed=5, embed_metadata=True).content
    text = base64.b64encode(file).decode()

    for image in (text, "data:image/png;base64," + text):
        body = server.post(API + "png-info", {"image": image, "other": 1}).json()
        settings = json.loads(body["info"])
        assert settings["prompt"] == "an \u00e9 apple" and settings["seed"] == 5
        assert body["items"] == {} and body["parameters"] == {}
    assert server.post(API + "png-info", {"image": base64.b64encode(
        server.generate(seed=5).content).decode()}).json()["info"] == ""
    for bad in ("", "data:image/png;base64", text[:-60], "no base64", "AAAA", 5, None):
        check_error(server.post(API + "png-info", {"image": bad}), 400, "invalid_value", "image")
    check_error(server.post(API + "png-info", {}), 400, "missing_field", "image")


def test_nothing_runs(server):
    idle = progress(server)

    assert idle["progress"] == 0 and idle["eta_relative"] == 0 and idle["current_image"] is None
    assert idle["state"]["job_count"] == 0 and idle["state"]["interrupted"] is False
    assert requests.post(server.url + API + "interrupt", timeout=10).json() == {}
    assert requests.post(server.url + API + "skip", timeout=10).json() is None
    assert len(files_of(txt2img(server))) == 1  # what was interrupted before it came is not it


def test_interrupt_answers_the_pictures_as_they_are(server):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        # Four are in the making at a time.
        request = pool.submit(txt2img, server, "delay=20ms", batch_size=6, steps=100, seed=5)
        seen = []
        for step in (1, 3, 5):
            wait_for(lambda: progress(server)["state"]["sampling_step"] >= step)
            seen.append(progress(server))
        requests.post(server.url + API + "interrupt", timeout=10)
        reply = request.result(timeout=5)

    assert 0 < seen[0]["progress"] < seen[1]["progress"] < seen[2]["progress"] < 0.5
    assert seen[0]["state"]["job_count"] == 6 and seen[0]["state"]["sampling_steps"] == 100
    files = files_of(reply)
    assert len(files) == 4
    assert json.loads(reply.json()["info"])["all_seeds"] == [5, 6, 7, 8]
    whole = server.generate("delay=20ms", seed=5, steps=100, negative_prompt=None).content
    assert Image.open(io.BytesIO(files[0])).size == (64, 64) and files[0] != whole
    assert progress(server)["state"]["job_count"] == 0


def test_keys_separate_callers(start, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("ann:a-key-of-this-test\nbob:another-key-of-this-test\n")
    server = start("--api-key-file", keys)
    ann = {"Authorization": "Bearer a-key-of-this-test"}
    bob = {"X-Api-Key": "another-key-of-this-test"}

    with concurrent.futures.ThreadPoolExecutor() as pool:
        request = pool.submit(txt2img, server, "delay=20ms", headers=ann, steps=50, seed=5)
        wait_for(lambda: progress(server, ann)["state"]["sampling_step"] > 1)
        assert progress(server, bob)["progress"] == 0
        server.post(API + "interrupt", headers=bob)
        (file,) = files_of(request.result())

    assert file == server.generate("delay=20ms", headers=ann, seed=5, steps=50).content
    for path in ("progress", "options", "samplers"):
        check_error(server.get(API + path), 401, "invalid_api_key")
    check_error(txt2img(server), 401, "invalid_api_key")
    check_error(server.post(API + "interrupt"), 401, "invalid_api_key")


def test_a_client_that_leaves_ends_its_pictures(server):
    before = server.metric("ssd1b_cancelled_total")

    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(server.url + API + "txt2img", json={"prompt": "delay=50ms", "steps": 100},
                      timeout=0.3)

    wait_for(lambda: server.metric("ssd1b_cancelled_total") == before + 1)
    assert progress(server)["progress"] == 0


@pytest.mark.skipif(not (BIN / "ssd1b-worker").exists(), reason="built without the inference wing")
def test_the_real_model_interrupted():
    with RunningServer("--device", "cpu", worker=BIN / "ssd1b-worker") as server:
        server.wait_until_ready(seconds=180)
        (whole,) = files_of(txt2img(server, seed=7, negative_prompt=""))
        assert whole == server.generate(seed=7).content

        with concurrent.futures.ThreadPoolExecutor() as pool:
            request = pool.submit(txt2img, server, seed=7, steps=100, negative_prompt="")
            wait_for(lambda: progress(server)["state"]["sampling_step"] >= 3)
            requests.post(server.url + API + "interrupt", timeout=10)
            (unfinished,) = files_of(request.result(timeout=30))

        assert Image.open(io.BytesIO(unfinished)).size == (128, 128)
        assert unfinished != whole
