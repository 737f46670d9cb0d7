"""What LoRA files say about their strength, against diffusers and PEFT: metadata, adapter_config.json
and kohya's alphas."""

import json

import lora_files as files
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from test_lora import (
    BAD_MODEL,
    CONFIG,
    assert_equal_weights,
    count,
    fresh_pipe,
    fused,
    load,
    trained_unet,
)


@pytest.fixture(scope="module")
def plain(model_folder):
    """The small SSD-1B without a LoRA; not to be changed."""
    return fresh_pipe(model_folder("ssd1b"))


def refusal(tmp_path, folder, path):
    done, _ = load(tmp_path, folder, "unet", "--lora", path)
    assert done.returncode == BAD_MODEL, (done.returncode, done.stderr)
    return done.stderr


@pytest.mark.parametrize("settings", [
    {"lora_alpha": 4},
    {"lora_alpha": 8},
    {"lora_alpha": 4, "use_rslora": True},
    {"lora_alpha": 4, "alpha_pattern": {"to_q": 1}},
])  # fmt: skip
def test_a_unet_that_saves_its_adapter_itself(model_folder, tmp_path, settings):
    """Neither the tensors nor the settings name the component."""
    pipe = trained_unet(model_folder("ssd1b"), LoraConfig(r=4, target_modules=["to_q", "conv1"], **settings))
    pipe.unet.save_lora_adapter(tmp_path / "adapter")
    pipe.unet.fuse_lora()
    pipe.unet.unload_lora()

    changed = assert_equal_weights(
        tmp_path, model_folder("ssd1b"), pipe, ["--lora", tmp_path / "adapter"]
    )

    assert changed > 20


def test_such_an_adapter_that_changes_the_model_too_is_refused(model_folder, tmp_path):
    pissa = LoraConfig(r=4, target_modules=["to_q"], init_lora_weights="pissa")
    trained_unet(model_folder("ssd1b"), pissa).unet.save_lora_adapter(tmp_path / "adapter")

    said = refusal(tmp_path, model_folder("ssd1b"), tmp_path / "adapter")

    assert "init_lora_weights must be" in said and "pissa" in said


def test_settings_of_other_components_alone_are_refused(model_folder, plain, tmp_path):
    """As diffusers refuses them: nobody knows how much the text encoder's matrices count."""
    matrices = files.matrices_of(plain, {"unet": files.ATTENTION, "text_encoder": files.TEXT}, alpha=2.0)
    metadata = files.peft_metadata({"unet": matrices["unet"]})
    file = files.save(files.peft(matrices), tmp_path / "lora.safetensors", metadata)
    with pytest.raises(ValueError):
        fused(model_folder("ssd1b"), [file], [1.0])

    said = refusal(tmp_path, model_folder("ssd1b"), file)

    assert "text_encoder.lora_alpha must be given" in said and "matrices of text_encoder" in said


def adapter_of_peft(tmp_path, pipe, config):
    """A folder that PEFT saves itself of a UNet, and what it says."""
    wrapped = get_peft_model(pipe.unet, config)
    generator = torch.Generator("cpu").manual_seed(20)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.02 * torch.randn(parameter.shape, generator=generator))
    wrapped.save_pretrained(tmp_path / "adapter")
    return json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())


def say(tmp_path, settings):
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(settings))
    return tmp_path / "adapter"


@pytest.mark.parametrize("change", [{"lora_alpha": None}, {"fan_in_fan_out": True}])
def test_settings_that_peft_does_without(model_folder, tmp_path, change):
    """None: without the key."""
    pipe = fresh_pipe(model_folder("ssd1b"))
    settings = {**adapter_of_peft(tmp_path, pipe, CONFIG), **change}
    folder = say(tmp_path, {key: value for key, value in settings.items() if value is not None or key not in change})
    pipe = fresh_pipe(model_folder("ssd1b"))
    pipe.unet = PeftModel.from_pretrained(pipe.unet, folder).merge_and_unload()

    assert assert_equal_weights(tmp_path, model_folder("ssd1b"), pipe, ["--lora", folder]) > 50


def test_a_file_of_peft_alone_says_what_is_missing(model_folder, tmp_path):
    adapter_of_peft(tmp_path, fresh_pipe(model_folder("ssd1b")), CONFIG)
    (tmp_path / "adapter" / "adapter_config.json").unlink()

    said = refusal(tmp_path, model_folder("ssd1b"), tmp_path / "adapter" / "adapter_model.safetensors")

    assert "must have adapter_config.json beside it" in said and "lora_alpha" in said


@pytest.mark.parametrize("change", [
    {"alora_invocation_tokens": [5, 6]},
    {"alpha_pattern": {r"\Amid_block.*to_q": 3}},
    {"alpha_pattern": {r"to_q\Z": 3}},
    {"alpha_pattern": {"to_[[:alpha:]]": 3}},
    {"alpha_pattern": {"to_(?P<name>q)": 3}},
])  # fmt: skip
def test_settings_that_cannot_be_followed_are_named(model_folder, plain, tmp_path, change):
    settings = adapter_of_peft(tmp_path, fresh_pipe(model_folder("ssd1b")), CONFIG)

    said = refusal(tmp_path, model_folder("ssd1b"), say(tmp_path, {**settings, **change}))

    key, value = next(iter(change.items()))
    assert key in said
    if isinstance(value, dict):
        assert next(iter(value)).replace("\\", r"\x5c") in said and "read alike" in said


@pytest.mark.parametrize("alpha_of", [
    lambda name: 2 if name.endswith("conv1") else None,
    # 2 comes most often.
    lambda name: {"proj_in": 1, "conv1": 2, "conv2": 2}.get(name.rpartition(".")[2]),
    # As often as each other: the first in the file counts.
    lambda name: {"proj_in": 1, "proj_out": 3}.get(name.rpartition(".")[2]),
])  # fmt: skip
def test_modules_without_an_alpha_among_others(model_folder, plain, tmp_path, alpha_of):
    # Where alphas differ diffusers loses those of attention and, with transformers 5, of text encoders.
    products = f"proj_(in|out)$|ff.net.2|{files.CONVOLUTIONS}"
    matrices = files.matrices_of(plain, {"unet": products}, rank=lambda name: 2 + len(name) % 2, alpha=alpha_of, seed=21)
    texts = {"text_encoder": files.TEXT, "text_encoder_2": files.TEXT}
    matrices |= files.matrices_of(plain, texts, alpha=lambda name: 3 if "_proj" in name else None, seed=22)
    file = files.save(files.kohya(matrices), tmp_path / "lora.safetensors")

    pipe = fused(model_folder("ssd1b"), [file], [1.0])

    changed = assert_equal_weights(tmp_path, model_folder("ssd1b"), pipe, ["--lora", file])
    assert changed == count(matrices)
