"""LoRA files that do not fit the model: each is refused with its name and the reason."""

import subprocess

import lora_files as files
import pytest
import torch
from programs import BIN_DIR
from test_lora import BAD_MODEL, fresh_pipe, load

KEY = "lora_unet_mid_block_resnets_0_conv1"


@pytest.fixture(scope="module")
def plain(model_folder):
    """The small SSD-1B without a LoRA; not to be changed."""
    return fresh_pipe(model_folder("ssd1b"))


@pytest.fixture
def one_pair(plain):
    matrices = files.matrices_of(plain, {"unet": r"^mid_block.*conv1$"}, alpha=2.0)
    return files.kohya(matrices)


def refusal(tmp_path, folder, file):
    done, _ = load(tmp_path, folder, "unet", "--lora", file)
    assert done.returncode == BAD_MODEL, (done.returncode, done.stderr)
    assert done.stderr.count("\n") == 1
    assert str(file) in done.stderr
    return done.stderr


@pytest.mark.parametrize("form", ["diffusers_blocks", "ldm_blocks"])
def test_a_lora_of_sdxl_is_refused_with_the_reason(model_folder, tmp_path, form):
    sdxl = fresh_pipe(model_folder("sdxl"))
    matrices = files.matrices_of(sdxl, {"unet": files.ATTENTION}, alpha=1.0)
    tensors = files.kohya(matrices)
    if form == "ldm_blocks":
        tensors = {
            name.replace("mid_block_attentions_0", "middle_block_1"): value
            for name, value in tensors.items()
            if "mid_block" in name
        }
    said = refusal(tmp_path, model_folder("ssd1b"), files.save(tensors, tmp_path / "sdxl.safetensors"))
    assert "a LoRA of SDXL" in said and "without: " in said


def test_a_lora_of_deeper_transformers_is_refused_with_the_reason(model_folder, plain, tmp_path):
    matrices = files.matrices_of(plain, {"unet": files.ATTENTION})
    deep = {
        name.replace("down_blocks_2_attentions_0_transformer_blocks_3", "down_blocks_2_attentions_0_transformer_blocks_9"): value
        for name, value in files.kohya(matrices).items()
    }
    said = refusal(tmp_path, model_folder("ssd1b"), files.save(deep, tmp_path / "deep.safetensors"))
    assert "transformer blocks that this one" in said and "transformer_blocks_9" in said


def test_what_is_wrong_is_named(model_folder, one_pair, tmp_path):
    down, up = one_pair[f"{KEY}.lora_down.weight"], one_pair[f"{KEY}.lora_up.weight"]
    not_finite = up.clone()
    not_finite[5, 1] = float("nan")
    cases = {
        "unknown module": ({"lora_unet_mid_block_nothing.lora_up.weight": up}, "mid_block_nothing"),
        "unknown ending": ({f"{KEY}.something": up}, "another name"),
        "half a pair": ({f"{KEY}.lora_down.weight": None}, "a down matrix, got none"),
        "wrong down": ({f"{KEY}.lora_down.weight": down[:, :-1]}, "must have shape [4, 96, 3, 3], got [4, 95, 3, 3]"),
        "wrong up": ({f"{KEY}.lora_up.weight": up[:, :3]}, "must have shape [96, 4], got [96, 3, 1, 1]"),
        "integers": ({f"{KEY}.lora_up.weight": up.long()}, "got I64"),
        "long alpha": ({f"{KEY}.alpha": torch.ones(2)}, "must be one number"),
        "infinite alpha": ({f"{KEY}.alpha": torch.tensor(torch.inf)}, "must be finite"),
        "not finite": ({f"{KEY}.lora_up.weight": not_finite}, "got nan at index 21"),
        "twice": ({f"unet.{KEY[10:]}.lora_A.weight": down}, "must come once"),
        "DoRA": ({f"{KEY}.dora_scale": torch.ones(96)}, "DoRA"),
        "LoHa": ({f"{KEY}.hada_w1_a": up}, "LoHa"),
        "LoKr": ({f"{KEY}.lokr_w1": up}, "LoKr"),
        "LoCon with a middle": ({f"{KEY}.lora_mid.weight": up}, "middle"),
        "another architecture": ({"transformer.blocks.0.to_q.lora_A.weight": up}, "FLUX"),
    }
    for what, (change, expected) in cases.items():
        tensors = {name: value for name, value in {**one_pair, **change}.items() if value is not None}
        said = refusal(tmp_path, model_folder("ssd1b"), files.save(tensors, tmp_path / "bad.safetensors"))
        assert expected in said, (what, said)


def test_every_module_without_a_place_is_counted(model_folder, one_pair, tmp_path):
    extra = {f"lora_unet_nowhere_{i}.alpha": torch.ones(()) for i in range(20)}
    said = refusal(
        tmp_path, model_folder("ssd1b"), files.save({**one_pair, **extra}, tmp_path / "bad.safetensors")
    )
    assert "got 20 of 23 without" in said and "and 12 more" in said


def test_files_that_are_none(model_folder, tmp_path):
    (tmp_path / "text.safetensors").write_text("not a LoRA")
    refusal(tmp_path, model_folder("ssd1b"), tmp_path / "text.safetensors")
    refusal(tmp_path, model_folder("ssd1b"), tmp_path / "missing.safetensors")
    refusal(tmp_path, model_folder("ssd1b"), files.save({}, tmp_path / "empty.safetensors"))


def test_a_folder_without_the_file_says_what_it_has(model_folder, tmp_path):
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")
    said = refusal(tmp_path, model_folder("ssd1b"), tmp_path)
    assert "adapter_model.bin" in said and "pickles are never loaded" in said


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora", "OLoRA", "PiSSA"])
def test_an_adapter_that_changes_the_model_too_is_refused(model_folder, plain, tmp_path, start):
    matrices = files.matrices_of(plain, {"unet": files.ATTENTION}, alpha=1.0)
    metadata = files.peft_metadata(matrices, init_lora_weights=start)
    said = refusal(
        tmp_path, model_folder("ssd1b"), files.save(files.peft(matrices), tmp_path / "pissa.safetensors", metadata)
    )
    assert "init_lora_weights" in said and start in said


def test_dora_in_the_settings_is_refused(model_folder, plain, tmp_path):
    matrices = files.matrices_of(plain, {"unet": files.ATTENTION}, alpha=1.0)
    metadata = files.peft_metadata(matrices, use_dora=True)
    said = refusal(
        tmp_path, model_folder("ssd1b"), files.save(files.peft(matrices), tmp_path / "dora.safetensors", metadata)
    )
    assert "use_dora" in said


def test_a_worker_refuses_with_status_65(model_folder, tmp_path):
    command = [BIN_DIR / "ssd1b-generate", "--model", model_folder("vega"), "--prompt", "x"]
    command += ["--output", tmp_path / "x.png", "--lora", tmp_path / "missing.safetensors:0.5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == BAD_MODEL
    assert "missing.safetensors" in done.stderr
