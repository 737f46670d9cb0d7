"""LoRA files merged at start against diffusers' load_lora_weights and fuse_lora.

Every weight is compared, in every form of names; then whole pictures through ssd1b-generate.
"""

import json
import subprocess

import lora_files as files
import models
import numpy as np
import pytest
import safetensors.torch
import torch
from criterion import compare
from diffusers import StableDiffusionXLPipeline
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from programs import BIN_DIR, REPO
from test_pictures import ours, request_of, theirs

COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
ATTENTION = {"unet": files.ATTENTION, "text_encoder": files.TEXT, "text_encoder_2": files.TEXT}
EVERYTHING = {
    "unet": f"{files.LINEAR}|{files.CONVOLUTIONS}",
    "text_encoder": files.TEXT,
    "text_encoder_2": files.TEXT,
}
# diffusers loses kohya's lora_unet_add_embedding_… without a word.
FOR_KOHYA = {**EVERYTHING, "unet": EVERYTHING["unet"].replace("(time|add)_emb", "time_emb")}
BAD_MODEL = 65
# float32 products summed in another order, beside weights of about 0.1.
TOLERANCE = 2e-6


def fresh_pipe(folder):
    pipe = StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def plain(model_folder):
    """The small SSD-1B without a LoRA; not to be changed."""
    return fresh_pipe(model_folder("ssd1b"))


def fused(folder, lora_files, scales):
    pipe = fresh_pipe(folder)
    names = [f"lora_{i}" for i in range(len(lora_files))]
    for name, file in zip(names, lora_files):
        pipe.load_lora_weights(str(file), adapter_name=name)
    scale = 1.0
    if len(names) == 1:
        scale = scales[0]
    else:
        pipe.set_adapters(names, scales)
    pipe.fuse_lora(components=list(COMPONENTS), lora_scale=scale, adapter_names=names)
    pipe.unload_lora_weights()
    return pipe


def load(tmp_path, folder, component, *flags):
    # safetensors maps what it loads: a file is written once.
    out = tmp_path / f"weights_{len(list(tmp_path.iterdir()))}.safetensors"
    command = [BIN_DIR / "ssd1b-load-weights", folder, component, out, *map(str, flags)]
    command += ["--shipped", REPO / "models"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done, out


def weights_of(module):
    return {
        name: value
        for name, value in module.state_dict().items()
        if "position_ids" not in name
    }


def assert_equal_weights(tmp_path, folder, pipe, flags):
    changed = 0
    for component in COMPONENTS:
        done, out = load(tmp_path, folder, component, *flags)
        assert done.returncode == 0, done.stderr
        merged = safetensors.torch.load_file(out)
        plain_weights = safetensors.torch.load_file(load(tmp_path, folder, component)[1])
        for name, wanted in weights_of(getattr(pipe, component)).items():
            if component == "text_encoder":
                name = files.with_text_model(name)
            difference = float((merged[name] - wanted).abs().max())
            assert difference <= TOLERANCE * max(1.0, float(wanted.abs().max())), (component, name, difference)
            changed += not torch.equal(merged[name], plain_weights[name])
    return changed


def count(matrices):
    return sum(len(modules) for modules in matrices.values())


FORMS = {
    "kohya_diffusers_blocks": (FOR_KOHYA, files.kohya, 2.0),
    "kohya_without_alpha": (FOR_KOHYA, files.kohya, None),
    "peft": (EVERYTHING, files.peft, None),
    "diffusers": (EVERYTHING, files.diffusers_new, None),
    "diffusers_old": ({"unet": files.ATTENTION}, files.diffusers_old, None),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_names(model_folder, plain, tmp_path, form):
    patterns, write, alpha = FORMS[form]
    matrices = files.matrices_of(plain, patterns, alpha=alpha, seed=len(form))
    file = files.save(write(matrices), tmp_path / "lora.safetensors")

    pipe = fused(model_folder("ssd1b"), [file], [0.7])

    changed = assert_equal_weights(
        tmp_path, model_folder("ssd1b"), pipe, ["--lora", file, "--scale", 0.7]
    )
    assert changed == count(matrices)


def ldm_block_names(modules):
    """kohya's names of the UNet's modules, written out from the table of the ldm layout (two resnets
    down and three up in each of three levels, attentions in the lower two)."""
    inner = {"conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "conv2": "out_layers.3",
             "conv_shortcut": "skip_connection"}
    outer = {"conv_in": "input_blocks.0.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0",
             "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0",
             "add_embedding.linear_2": "label_emb.0.2"}
    prefixes = {"mid_block.resnets.0": "middle_block.0"}
    for level in range(3):
        for layer in range(2):
            prefixes[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{1 + 3 * level + layer}.0"
            prefixes[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{1 + 3 * level + layer}.1"
        prefixes[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{3 * level + 3}.0.op"
        for layer in range(3):
            prefixes[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{3 * level + layer}.0"
            prefixes[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{3 * level + layer}.1"
        prefixes[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{3 * level + 2}.2.conv"
    names = dict(outer)
    for module in modules:
        for prefix, ldm in prefixes.items():
            if module == prefix or module.startswith(f"{prefix}."):
                tail = module[len(prefix) + 1:]
                names[module] = f"{ldm}.{inner.get(tail, tail)}" if tail else ldm
    return names


def test_kohyas_own_block_names(model_folder, plain, tmp_path):
    matrices = files.matrices_of(plain, EVERYTHING, alpha=3.0, seed=4)
    blocks = ldm_block_names(matrices["unet"])
    file = files.save(files.kohya(matrices, blocks), tmp_path / "lora.safetensors")
    # diffusers gets the same matrices under its own names: it has no case for some of kohya's.
    same = files.save(files.peft(matrices), tmp_path / "same.safetensors", files.peft_metadata(matrices))

    pipe = fused(model_folder("ssd1b"), [same], [1.0])

    assert assert_equal_weights(tmp_path, model_folder("ssd1b"), pipe, ["--lora", file]) == count(matrices)


def test_attention_in_kohyas_own_block_names_as_diffusers_reads_it(model_folder, plain, tmp_path):
    matrices = files.matrices_of(plain, {"unet": files.ATTENTION}, alpha=3.0, seed=5)
    blocks = ldm_block_names(matrices["unet"])
    file = files.save(files.kohya(matrices, blocks), tmp_path / "lora.safetensors")

    pipe = fused(model_folder("ssd1b"), [file], [1.0])

    assert assert_equal_weights(tmp_path, model_folder("ssd1b"), pipe, ["--lora", file]) == count(matrices)


def test_ranks_and_alphas_that_differ(model_folder, plain, tmp_path):
    """diffusers loses most of kohya's alphas where they differ, so it gets PEFT's settings."""
    matrices = files.matrices_of(
        plain, EVERYTHING, rank=lambda name: 2 + len(name) % 3, alpha=lambda name: 1 + len(name) % 4, seed=6
    )
    file = files.save(files.kohya(matrices), tmp_path / "lora.safetensors")
    same = files.save(files.peft(matrices), tmp_path / "same.safetensors", files.peft_metadata(matrices))

    pipe = fused(model_folder("ssd1b"), [same], [1.0])

    assert_equal_weights(tmp_path, model_folder("ssd1b"), pipe, ["--lora", file])


@pytest.mark.parametrize("settings", [
    {},
    {"use_rslora": True},
    # Of several patterns that match the first counts; they are regular expressions of a name's end.
    {"alpha_pattern": {"attn2.to_k": 2, "to_k": 24}},
    {"alpha_pattern": {"to_k": 24, "attn2.to_k": 2, "attn1.to_k": 3}},
    {"alpha_pattern": {"attn1.to_.": 1, "^to_v": 9, "mid_block.*to_q": 5, r"down_blocks\.1.*to_q": 3}},
])
def test_settings_of_peft_in_the_metadata(model_folder, plain, tmp_path, settings):
    matrices = files.matrices_of(plain, ATTENTION, alpha=lambda name: 2.0 + len(name) % 2, seed=7)
    metadata = files.peft_metadata(matrices, **settings)
    file = files.save(files.peft(matrices), tmp_path / "lora.safetensors", metadata)

    pipe = fused(model_folder("ssd1b"), [file], [1.0])

    assert assert_equal_weights(tmp_path, model_folder("ssd1b"), pipe, ["--lora", file]) == count(matrices)


def trained_unet(folder, config):
    """A UNet with a LoRA of PEFT's own making, its second matrices drawn as if it had been trained."""
    pipe = fresh_pipe(folder)
    pipe.unet.add_adapter(config)
    generator = torch.Generator("cpu").manual_seed(8)
    with torch.no_grad():
        for name, parameter in pipe.unet.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.02 * torch.randn(parameter.shape, generator=generator))
    return pipe


CONFIG = LoraConfig(
    r=4, lora_alpha=8, target_modules=["to_q", "to_v", "to_out.0", "conv1", "ff.net.0.proj"],
    rank_pattern={"conv1": 2}, alpha_pattern={"to_v": 3},
)


def test_a_file_that_peft_and_diffusers_save(model_folder, tmp_path):
    pipe = trained_unet(model_folder("ssd1b"), CONFIG)
    StableDiffusionXLPipeline.save_lora_weights(
        tmp_path,
        unet_lora_layers=get_peft_model_state_dict(pipe.unet),
        unet_lora_adapter_metadata={
            key: list(value) if isinstance(value, set) else value
            for key, value in pipe.unet.peft_config["default"].to_dict().items()
        },
    )
    file = tmp_path / "pytorch_lora_weights.safetensors"

    fused_pipe = fused(model_folder("ssd1b"), [file], [1.0])

    assert assert_equal_weights(tmp_path, model_folder("ssd1b"), fused_pipe, ["--lora", file]) > 50


CONFIG_OF_TEXT = LoraConfig(
    r=4, lora_alpha=8, target_modules=["q_proj", "out_proj", "fc1"], rank_pattern={"fc1": 2},
    alpha_pattern={"layers.1.self_attn.q_proj": 3}, use_rslora=True,
)


@pytest.mark.parametrize("names_class", [True, False])
@pytest.mark.parametrize("component", COMPONENTS)
def test_a_folder_that_peft_saves_itself(model_folder, tmp_path, component, names_class):
    pipe = fresh_pipe(model_folder("ssd1b"))
    config = CONFIG if component == "unet" else CONFIG_OF_TEXT
    wrapped = get_peft_model(getattr(pipe, component), config)
    generator = torch.Generator("cpu").manual_seed(9)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.02 * torch.randn(parameter.shape, generator=generator))
    folder = tmp_path / "adapter"
    wrapped.save_pretrained(folder)
    settings = json.loads((folder / "adapter_config.json").read_text())
    assert settings["auto_mapping"]["base_model_class"] == type(getattr(pipe, component)).__name__
    if not names_class:  # as PEFT saves it where it knows the task
        settings["auto_mapping"] = None
        (folder / "adapter_config.json").write_text(json.dumps(settings))
    setattr(pipe, component, wrapped.merge_and_unload())

    path = folder if names_class else folder / "adapter_model.safetensors"
    changed = assert_equal_weights(tmp_path, model_folder("ssd1b"), pipe, ["--lora", path])
    assert changed > (50 if component == "unet" else 8)


def test_a_peft_folder_that_fits_both_text_encoders_must_name_its_class(tmp_path):
    twins = models.changed(models.SSD1B, text={**models.SSD1B["text"], "layers": 2},
                           text_2={**models.SSD1B["text"], "layers": 2, "act": "gelu"})  # fmt: skip
    folder = models.save_model(twins, tmp_path / "twins")
    matrices = files.matrices_of(fresh_pipe(folder), {"text_encoder_2": files.TEXT})
    tensors = files.peft({"base_model.model": matrices["text_encoder_2"]})
    (tmp_path / "adapter").mkdir()
    file = files.save(tensors, tmp_path / "adapter" / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "lora_alpha": 4, "auto_mapping": None}
    (file.parent / "adapter_config.json").write_text(json.dumps(settings))

    done, _ = load(tmp_path, folder, "unet", "--lora", file.parent)

    assert done.returncode == BAD_MODEL
    assert "adapter_config.json: auto_mapping must be" in done.stderr
    assert "text_encoder and text_encoder_2" in done.stderr


def test_several_files_add_up(model_folder, plain, tmp_path):
    first = files.matrices_of(plain, FOR_KOHYA, alpha=2.0, seed=10)
    second = files.matrices_of(plain, ATTENTION, rank=3, seed=11)
    paths = [
        files.save(files.kohya(first), tmp_path / "first.safetensors"),
        files.save(files.peft(second), tmp_path / "second.safetensors"),
    ]

    pipe = fused(model_folder("ssd1b"), paths, [-0.4, -0.4])

    flags = ["--lora", paths[0], "--lora", paths[1], "--scale=-0.4"]
    assert_equal_weights(tmp_path, model_folder("ssd1b"), pipe, flags)


@pytest.mark.parametrize("name", ["odd", "sdxl"])
def test_relatives(model_folder, tmp_path, name):
    matrices = files.matrices_of(fresh_pipe(model_folder(name)), EVERYTHING, seed=12)
    file = files.save(files.peft(matrices), tmp_path / "lora.safetensors")

    pipe = fused(model_folder(name), [file], [1.0])

    assert_equal_weights(tmp_path, model_folder(name), pipe, ["--lora", file])


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_half_precision_files_are_merged_in_float32(model_folder, plain, tmp_path, stored):
    matrices = files.matrices_of(plain, FOR_KOHYA, alpha=2.0, seed=13)
    halved = {name: value.to(stored) for name, value in files.kohya(matrices).items()}
    file = files.save(halved, tmp_path / "half.safetensors")
    widened = files.save({n: v.float() for n, v in halved.items()}, tmp_path / "wide.safetensors")

    pipe = fused(model_folder("ssd1b"), [widened], [1.0])

    assert_equal_weights(tmp_path, model_folder("ssd1b"), pipe, ["--lora", file])


def test_a_half_precision_model_rounds_once(model_folder, plain, tmp_path):
    matrices = files.matrices_of(plain, {"unet": files.LINEAR}, alpha=2.0, seed=14)
    file = files.save(files.kohya(matrices), tmp_path / "lora.safetensors")
    done, wide = load(tmp_path, model_folder("ssd1b"), "unet", "--lora", file)
    assert done.returncode == 0, done.stderr
    merged = safetensors.torch.load_file(wide)

    done, half = load(tmp_path, model_folder("ssd1b"), "unet", "--lora", file, "--dtype", "bfloat16")

    assert done.returncode == 0, done.stderr
    for name, value in safetensors.torch.load_file(half).items():
        assert torch.equal(value, merged[name].bfloat16()), name


# Whole pictures, through the programs' own flag.


def test_pictures_with_two_loras(model_folder, plain, tmp_path):
    first = files.matrices_of(plain, FOR_KOHYA, alpha=2.0, seed=15, gain=0.2)
    second = files.matrices_of(plain, ATTENTION, rank=3, seed=16, gain=0.2)
    paths = [
        files.save(files.kohya(first), tmp_path / "first.safetensors"),
        files.save(files.peft(second), tmp_path / "second.safetensors"),
    ]
    pipe = fused(model_folder("ssd1b"), paths, [0.8, 0.3])
    request = request_of("plain", "ssd1b")
    (tmp_path / "without").mkdir()
    without = ours(model_folder("ssd1b"), request, tmp_path / "without")[0]

    flags = [f"--lora={paths[0]}:0.8", f"--lora={paths[1]}:0.3"]
    picture, latents = ours(model_folder("ssd1b"), request, tmp_path, *flags)

    difference = compare(picture, latents, *theirs(pipe, request))
    assert difference.is_within, difference
    assert np.abs(picture.astype(int) - without.astype(int)).max() > 20


def test_pictures_with_an_lcm_lora(model_folder, plain, tmp_path):
    """As latent-consistency/lcm-lora-ssd-1b: kohya's names with diffusers' blocks, rank and alpha
    on every product of the UNet but the embeddings, in float16; four steps without guidance."""
    products = files.LINEAR.replace(r"|(time|add)_embedding\.linear_[12]$", "") + "|" + files.CONVOLUTIONS
    matrices = files.matrices_of(plain, {"unet": products}, rank=8, alpha=8.0, seed=17, gain=0.2)
    halved = {name: value.half() for name, value in files.kohya(matrices).items()}
    file = files.save(halved, tmp_path / "half.safetensors")
    widened = files.save({n: v.float() for n, v in halved.items()}, tmp_path / "wide.safetensors")
    pipe = fused(model_folder("ssd1b"), [widened], [1.0])
    request = request_of("plain", "ssd1b") | {"steps": 4, "guidance_scale": 0.0, "scheduler": "lcm"}

    picture, latents = ours(model_folder("ssd1b"), request, tmp_path, f"--lora={file}")

    difference = compare(picture, latents, *theirs(pipe, request))
    assert difference.is_within, difference
