"""What we read from models on disk against what diffusers and transformers read, bit by bit.

`ssd1b-load-weights` (tests/weights) is looked for in $SSD1B_BIN_DIR, else in build/bin.
"""

import json
import shutil
import subprocess
from pathlib import Path

import models
import pytest
import safetensors.torch
import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from programs import BIN_DIR, REPO
from single_files import write_single_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection

LOAD = BIN_DIR / "ssd1b-load-weights"
CLASSES = {
    "text_encoder": CLIPTextModel,
    "text_encoder_2": CLIPTextModelWithProjection,
    "unet": UNet2DConditionModel,
    "vae": AutoencoderKL,
}
BAD_MODEL = 65

# Heads and groups of the norms are not in a checkpoint: these are those of SDXL and its relatives.
SINGLE = models.changed(
    models.SSD1B,
    text={"hidden_size": 64, "heads": 1},
    text_2={"hidden_size": 128, "heads": 2},
    unet={"block_out_channels": [32, 64, 128], "attention_head_dim": [1, 1, 2], "norm_num_groups": 32},
    vae={"block_out_channels": [32, 32, 64, 64], "norm_num_groups": 32, "sample_size": 1024},
)
FAMILIES = {
    "ssd-1b": SINGLE,
    "vega": models.changed(SINGLE, unet=models.VEGA_DEPTHS),
    "sdxl": models.changed(SINGLE, unet={**models.SDXL_DEPTHS, "transformer_layers_per_block": [1, 2, 10]}),
}


def run(*arguments):
    return subprocess.run([LOAD, *map(str, arguments)], capture_output=True, text=True, check=False)


def read(tmp_path, model, component, *flags):
    out = tmp_path / "read.safetensors"
    done = run(model, component, out, "--shipped", REPO / "models", *flags)
    assert done.returncode == 0, done.stderr
    return safetensors.torch.load_file(out)


def refusal(tmp_path, model, *flags):
    done = run(model, "unet", tmp_path / "out", "--shipped", REPO / "models", *flags)
    assert done.returncode == BAD_MODEL, (done.returncode, done.stderr)
    assert done.stderr.count("\n") == 1
    return done.stderr


def reference(folder, component, **options):
    module = CLASSES[component].from_pretrained(Path(folder) / component, **options)
    tensors = {name: value for name, value in module.state_dict().items() if "position_ids" not in name}
    if component == "text_encoder":  # transformers 5.6 and newer leave the prefix away
        tensors = {
            name if name.startswith("text_model.") else f"text_model.{name}": value
            for name, value in tensors.items()
        }
    return tensors


def assert_same_bits(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name].dtype == value.dtype, name
        assert torch.equal(ours[name], value.contiguous()), name


def copy_of(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / "model"))


@pytest.mark.parametrize("component", CLASSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_dtype(model_folder, tmp_path, component, dtype):
    name = str(dtype).split(".")[1]
    ours = read(tmp_path, model_folder("ssd1b"), component, "--dtype", name)
    theirs = reference(model_folder("ssd1b"), component, torch_dtype=dtype)
    # from_pretrained keeps some layers of some classes in float32; the bits are what counts here.
    assert_same_bits(ours, {key: value.to(dtype) for key, value in theirs.items()})


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_every_stored_dtype(model_folder, tmp_path, stored):
    folder = copy_of(model_folder("vega"), tmp_path)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = {name: value.to(stored) for name, value in safetensors.torch.load_file(file).items()}
    safetensors.torch.save_file(tensors, file)
    for dtype in (torch.float32, torch.bfloat16):
        ours = read(tmp_path, folder, "unet", "--dtype", str(dtype).split(".")[1])
        assert_same_bits(ours, {name: value.float().to(dtype) for name, value in tensors.items()})


def test_variant(model_folder, tmp_path):
    folder = copy_of(model_folder("vega"), tmp_path)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet").half()
    unet.save_pretrained(folder / "unet", variant="fp16")
    half = {name: value.float() for name, value in unet.state_dict().items()}
    assert_same_bits(read(tmp_path, folder, "unet", "--variant", "fp16"), half)
    assert_same_bits(read(tmp_path, folder, "vae", "--variant", "fp16"), reference(folder, "vae"))
    assert_same_bits(read(tmp_path, folder, "unet"), reference(folder, "unet"))
    assert "*.ema.safetensors" in refusal(tmp_path, folder, "--variant", "ema")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert_same_bits(read(tmp_path, folder, "unet"), half)


@pytest.mark.parametrize("variant", [None, "fp16"])
@pytest.mark.parametrize("component", CLASSES)
def test_shards_as_the_libraries_save_them(model_folder, tmp_path, component, variant):
    folder = copy_of(model_folder("ssd1b"), tmp_path)
    theirs = reference(folder, component)
    module = CLASSES[component].from_pretrained(folder / component)
    shutil.rmtree(folder / component)
    size = sum(value.nbytes for value in theirs.values())
    module.save_pretrained(folder / component, max_shard_size=size // 4, variant=variant)
    assert len(list((folder / component).glob("*-of-*.safetensors"))) > 1
    assert_same_bits(read(tmp_path, folder, component), theirs)
    if variant:
        assert_same_bits(read(tmp_path, folder, component, "--variant", variant), theirs)


def test_old_attention_names_of_the_vae(model_folder, tmp_path):
    folder = copy_of(model_folder("ssd1b"), tmp_path)
    theirs = reference(folder, "vae")
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    old = {}
    for name, value in safetensors.torch.load_file(file).items():
        if ".attentions." in name and ".group_norm." not in name:
            for today, then in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
                name = name.replace(f".{today}.", f".{then}.")
            value = value[:, :, None, None] if value.dim() == 2 else value
        old[name] = value
    safetensors.torch.save_file(old, file)
    assert_same_bits(read(tmp_path, folder, "vae"), theirs)


def test_text_encoder_with_and_without_its_prefix(model_folder, tmp_path):
    folder = copy_of(model_folder("ssd1b"), tmp_path)
    theirs = reference(folder, "text_encoder")
    file = folder / "text_encoder" / "model.safetensors"
    bare = {name.removeprefix("text_model."): value for name, value in theirs.items()}
    safetensors.torch.save_file(bare, file)
    assert_same_bits(read(tmp_path, folder, "text_encoder"), theirs)
    full = {f"text_model.{name}": value for name, value in bare.items()}
    full["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    safetensors.torch.save_file(full, file)
    assert_same_bits(read(tmp_path, folder, "text_encoder"), theirs)


def test_a_text_encoder_beside_the_rest_of_its_clip(model_folder, tmp_path):
    folder = copy_of(model_folder("ssd1b"), tmp_path)
    for component in ("text_encoder", "text_encoder_2"):
        file = folder / component / "model.safetensors"
        rest = {
            "vision_model.embeddings.class_embedding": torch.ones(64),
            "visual_projection.weight": torch.ones(64, 64),
            "logit_scale": torch.ones(()),
        }
        if component == "text_encoder":
            rest["text_projection.weight"] = torch.ones(64, 64)
        safetensors.torch.save_file({**safetensors.torch.load_file(file), **rest}, file)
        assert_same_bits(read(tmp_path, folder, component), reference(folder, component))


def test_nan_is_refused_with_file_tensor_and_index(model_folder, tmp_path):
    folder = copy_of(model_folder("vega"), tmp_path)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = safetensors.torch.load_file(file)
    tensors["conv_in.weight"].view(-1)[77] = float("nan")
    safetensors.torch.save_file(tensors, file)
    message = refusal(tmp_path, folder)
    assert str(file) in message and '"conv_in.weight"' in message and "index 77" in message


@pytest.fixture(scope="module")
def single_folder(tmp_path_factory):
    made = {}

    def folder_of(family):
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            made[family] = models.save_model(FAMILIES[family], folder, seed=3)
        return made[family]

    return folder_of


@pytest.mark.parametrize("untransposed", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_single_file_equals_its_folder(single_folder, tmp_path, family, untransposed):
    folder = single_folder(family)
    file = write_single_file(folder, tmp_path / "one.safetensors", untransposed)
    for component in CLASSES:
        assert_same_bits(read(tmp_path, file, component), read(tmp_path, folder, component))


@pytest.mark.parametrize("family", FAMILIES)
def test_single_file_has_the_folders_configs(single_folder, tmp_path, family):
    folder = single_folder(family)
    file = write_single_file(folder, tmp_path / "one.safetensors")
    for component in CLASSES:
        done = run(file, component, "--config", "--shipped", REPO / "models")
        ours = json.loads(done.stdout)
        theirs = json.loads((folder / component / "config.json").read_text())
        if component == "unet":
            for config in (ours, theirs):
                config["depths"] = depths_of(config)
                config["layers_per_block"] = [2, 2, 2] if config["layers_per_block"] == 2 else config["layers_per_block"]
                # Of levels without transformers it says nothing.
                config["attention_head_dim"][0] = None
        same = ours.keys() & theirs.keys() - {
            "_diffusers_version", "sample_size", "transformer_layers_per_block",
            "reverse_transformer_layers_per_block", "model_type", "upcast_attention", "projection_dim",
        }
        assert len(same) > 8
        assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}


def depths_of(config):
    """Transformer blocks of every layer, down and up, None where a level has none."""
    down = config["transformer_layers_per_block"]
    up = config.get("reverse_transformer_layers_per_block") or down[::-1]

    def spread(levels, types, layers):
        return [
            None if "CrossAttn" not in kind else (level if isinstance(level, list) else [level] * layers)
            for level, kind in zip(levels, types)
        ]

    return spread(down, config["down_block_types"], 2), spread(up, config["up_block_types"], 3)


def test_the_test_writes_what_diffusers_reads_as_a_single_file(single_folder, tmp_path):
    folder = single_folder("ssd-1b")
    file = write_single_file(folder, tmp_path / "one.safetensors", leftovers=False, marks=True)
    pipe = StableDiffusionXLPipeline.from_single_file(file, config=str(folder), local_files_only=True)
    for component in ("unet", "vae", "text_encoder_2"):
        theirs = getattr(pipe, component).state_dict()
        assert_same_bits(read(tmp_path, file, component), {k: v for k, v in theirs.items() if "position_ids" not in k})
    # The marks of a checkpoint of v-prediction change nothing: neither there nor here, where it is said.
    ours = json.loads(run(file, "scheduler", "--config", "--shipped", REPO / "models").stdout)
    assert pipe.scheduler.config.prediction_type == ours["prediction_type"] == "epsilon"


def test_a_single_file_with_embedded_guidance_has_lcms_scheduler(tmp_path):
    spec = models.changed(FAMILIES["vega"], unet={"time_cond_proj_dim": 24})
    file = write_single_file(models.save_model(spec, tmp_path / "folder", seed=3), tmp_path / "one.safetensors")

    config = json.loads(run(file, "scheduler", "--config", "--shipped", REPO / "models").stdout)
    assert config["_class_name"] == "LCMScheduler"
    done = subprocess.run(
        [BIN_DIR / "ssd1b-bench", "--model", file, "--width", "64", "--height", "64", "--runs", "1"],
        capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (report := json.loads(done.stdout))["scheduler"] == "lcm" and report["steps"] == 4, report


@pytest.mark.parametrize("marks", [True, False])
def test_marks_that_are_not_followed_are_warned_of(single_folder, tmp_path, marks):
    file = write_single_file(single_folder("ssd-1b"), tmp_path / "one.safetensors", leftovers=False, marks=marks)
    picture = ["--prompt", "x", "--steps", "1", "--width", "64", "--height", "64", "--output", tmp_path / "x.png"]
    done = subprocess.run(
        [BIN_DIR / "ssd1b-generate", "--model", file, *picture], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "mark=" in line]
    assert len(warnings) == (2 if marks else 0), done.stderr
    for mark, setting in {"v_pred": "v_prediction", "ztsnr": "rescale_betas_zero_snr"}.items() if marks else ():
        (warning,) = [line for line in warnings if f"mark={mark} " in line]
        assert "warn" in warning and str(file) in warning and setting in warning, warning


def changed_names(tensors, change):
    return {change(name): value for name, value in tensors.items()}


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["double_blocks.0.img_attn.qkv.weight"], "FLUX"),
        (["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"], "Stable Diffusion 3"),
        (["cond_stage_model.transformer.text_model.final_layer_norm.bias"], "Stable Diffusion 1"),
        (["cond_stage_model.model.ln_final.bias"], "Stable Diffusion 2"),
        (["conditioner.embedders.0.model.ln_final.bias"], "SDXL refiner"),
        (["model.diffusion_model.input_blocks.0.0.weight", "edm_vpred.sigma_max"], "CosXL"),
        (["lora_unet_mid_block_resnets_0_conv1.lora_up.weight"], "LoRA"),
        (["down_blocks.0.resnets.0.conv1.weight"], "one component of a model folder"),
        (["input_blocks.0.0.weight"], "a UNet alone"),
        (["diffusion_model.input_blocks.0.0.weight"], "a UNet alone"),
        (["state_dict.model.diffusion_model.input_blocks.0.0.weight"], "begin with state_dict."),
        (["something.else"], "another kind"),
        (["model.diffusion_model.input_blocks.0.0.weight"], "without SDXL's text encoders"),
    ],
)
def test_other_families_are_refused_by_name(tmp_path, names, says):
    file = tmp_path / "other.safetensors"
    safetensors.torch.save_file({name: torch.zeros(4, 4) for name in names}, file)
    assert says in refusal(tmp_path, file)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("first_stage_model.decoder.conv_in.weight"), "first_stage_model.decoder.conv_in.weight"),
        (lambda t: t.update({"stray.weight": torch.zeros(2)}), '"stray.weight"'),
        (lambda t: t.pop("conditioner.embedders.1.model.text_projection"), "text_encoder_2"),
        (lambda t: t.update({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(32, 9, 3, 3)}), "inpainting"),
        (lambda t: [t.pop(n) for n in list(t) if n.startswith("first_stage_model.")], "VAE"),
        (lambda t: t.update({"conditioner.embedders.1.model.text_projection.weight": torch.zeros(64, 64)}), "twice"),
    ],
)
def test_broken_single_files_are_refused(single_folder, tmp_path, change, says):
    file = write_single_file(single_folder("ssd-1b"), tmp_path / "one.safetensors")
    tensors = safetensors.torch.load_file(file)
    change(tensors)
    safetensors.torch.save_file(tensors, file)
    assert says in refusal(tmp_path, file)
