"""Each network against diffusers on the same weights and the same input."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModelWithProjection
from transformers.activations import ACT2CLS

MODELS = ["ssd1b", "odd", "sdxl", "vega", "lcm", "bare", "mish", "icons"]
# Of the standard deviation of diffusers' answer. float32 differs by the order of sums only; the
# largest difference seen is 1e-5.
FLOAT32 = 2e-5
BFLOAT16 = 0.15


def assert_close(ours, theirs, limit=FLOAT32):
    assert ours.shape == theirs.shape
    assert torch.isfinite(theirs).all() and theirs.std() > 0.05  # else the test could not fail
    error = ((ours - theirs).abs().max() / theirs.std()).item()
    print(f"max |ours - theirs| / std = {error:.2e}")
    assert error <= limit


def noise(*shape, seed=7):
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


def ids_of(tokenizer, texts):
    return tokenizer(
        texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    ).input_ids


def unet_inputs(pipe, rows, height, width, seed=7):
    config = pipe.unet.config
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    inputs = {
        "latents": noise(rows, config.in_channels, height, width, seed=seed),
        "timesteps": torch.linspace(981.0, 0.25, rows),
        "embeddings": noise(rows, 77, config.cross_attention_dim, seed=seed + 1),
        "pooled": noise(rows, pooled, seed=seed + 2),
        "time_ids": torch.tensor([[128.0, 96.0, 8.0, 0.0, 1024.0, 768.0]]).repeat(rows, 1),
    }
    if config.time_cond_proj_dim is not None:
        inputs["guidance_scale"] = torch.tensor([7.5])
        rows_alike = ("latents", "timesteps", "embeddings", "pooled", "time_ids")
        inputs |= {key: inputs[key][:1] for key in rows_alike}
    return inputs


@torch.no_grad()
def run_unet(pipe, inputs, dtype=torch.float32):
    condition = None
    if "guidance_scale" in inputs:
        condition = pipe.get_guidance_scale_embedding(
            inputs["guidance_scale"] - 1, pipe.unet.config.time_cond_proj_dim
        ).to(dtype)
    added = {"text_embeds": inputs["pooled"].to(dtype), "time_ids": inputs["time_ids"].to(dtype)}
    return pipe.unet(
        inputs["latents"].to(dtype),
        inputs["timesteps"],
        inputs["embeddings"].to(dtype),
        timestep_cond=condition,
        added_cond_kwargs=added,
    ).sample.float()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [(16, 16), (13, 18), (9, 31)])
def test_unet(name, size, oracle, probe):
    inputs = unet_inputs(oracle(name), 2, *size)

    ours = probe(name, "unet", inputs)["sample"]

    assert_close(ours, run_unet(oracle(name), inputs))


@pytest.mark.parametrize("name", ["ssd1b", "odd"])
def test_unet_of_one_row_and_of_a_long_prompt(name, oracle, probe):
    inputs = unet_inputs(oracle(name), 1, 16, 8)
    inputs["embeddings"] = noise(1, 2 * 77, inputs["embeddings"].shape[2])

    ours = probe(name, "unet", inputs)["sample"]

    assert_close(ours, run_unet(oracle(name), inputs))


@pytest.mark.parametrize("name", ["ssd1b", "odd", "mish"])
def test_unet_in_bfloat16(name, oracle, probe):
    inputs = unet_inputs(oracle(name), 2, 16, 16)

    ours = probe(name, "unet", inputs, "--dtype", "bfloat16")["sample"]

    theirs = run_unet(oracle(name), inputs)
    assert_close(ours, theirs, BFLOAT16)
    in_bfloat16 = run_unet(oracle(name, torch.bfloat16), inputs, torch.bfloat16)
    assert (ours - theirs).std() <= 1.1 * (in_bfloat16 - theirs).std()


TEXTS = ["", "a red apple on a table!", "word " * 90]


@pytest.mark.parametrize("name", ["ssd1b", "odd", "icons"])
@pytest.mark.parametrize("encoder", ["text_encoder", "text_encoder_2"])
@pytest.mark.parametrize("clip_skip", [0, 1])
def test_text_encoder(name, encoder, clip_skip, oracle, probe):
    pipe = oracle(name)
    ids = ids_of(getattr(pipe, encoder.replace("text_encoder", "tokenizer")), TEXTS)
    clip_skip = min(clip_skip, getattr(pipe, encoder).config.num_hidden_layers - 2)

    ours = probe(name, encoder, {"ids": ids, "clip_skip": torch.tensor([clip_skip])})

    with torch.no_grad():
        theirs = getattr(pipe, encoder)(ids, output_hidden_states=True)
    assert_close(ours["hidden"], theirs.hidden_states[-(clip_skip + 2)])
    assert ("pooled" in ours) == (encoder == "text_encoder_2")
    if "pooled" in ours:
        assert_close(ours["pooled"], theirs.text_embeds)


def copy_with(folder, component, changes, target):
    """A copy of a model's folder with some keys of a component's config set."""
    copy = Path(shutil.copytree(folder, target))
    file = copy / component / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return copy


@pytest.mark.parametrize("function", sorted(ACT2CLS.keys() - {"prelu", "xielu"}))
@torch.no_grad()
def test_every_function_of_a_text_encoder(function, model_folder, oracle, probe, tmp_path):
    folder = copy_with(
        model_folder("vega"), "text_encoder_2", {"hidden_act": function}, tmp_path / "model"
    )
    ids = ids_of(oracle("vega").tokenizer_2, TEXTS)
    encoder = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2")

    ours = probe(folder, "text_encoder_2", {"ids": ids, "clip_skip": torch.tensor([0])})

    theirs = encoder(ids, output_hidden_states=True)
    assert_close(ours["hidden"], theirs.hidden_states[-2])
    assert_close(ours["pooled"], theirs.text_embeds)


@pytest.mark.parametrize("function", ["silu", "swish", "gelu", "relu"])
@torch.no_grad()
def test_every_function_of_unet_and_vae(function, model_folder, oracle, probe, tmp_path):
    folder = copy_with(model_folder("vega"), "unet", {"act_fn": function}, tmp_path / "unet")
    folder = copy_with(folder, "vae", {"act_fn": function}, tmp_path / "both")
    pipe = SimpleNamespace(unet=UNet2DConditionModel.from_pretrained(folder / "unet"))
    inputs = unet_inputs(pipe, 2, 8, 12)
    assert_close(probe(folder, "unet", inputs)["sample"], run_unet(pipe, inputs))

    vae = AutoencoderKL.from_pretrained(folder / "vae")
    latents = noise(1, 4, 8, 6)
    ours = probe(folder, "vae_decode", {"latents": latents})["pixels"]
    assert_close(ours, vae.decode(vae_space(vae, latents)).sample)


def vae_space(vae, latents):
    """What StableDiffusionXLPipeline does between its loop and the VAE."""
    if vae.config.latents_mean is None:
        return latents / vae.config.scaling_factor
    mean = torch.tensor(vae.config.latents_mean).view(1, 4, 1, 1)
    std = torch.tensor(vae.config.latents_std).view(1, 4, 1, 1)
    return latents * std / vae.config.scaling_factor + mean


@pytest.mark.parametrize("name", ["ssd1b", "odd", "bare", "mish", "icons"])
@pytest.mark.parametrize("size", [(16, 16), (5, 11)])
def test_vae_decoder(name, size, oracle, probe):
    pipe = oracle(name)
    latents = noise(1, pipe.vae.config.latent_channels, *size)

    ours = probe(name, "vae_decode", {"latents": latents})

    with torch.no_grad():
        theirs = pipe.vae.decode(vae_space(pipe.vae, latents)).sample
    assert_close(ours["pixels"], theirs)
    image = (pipe.image_processor.postprocess(theirs, output_type="np")[0] * 255).round()
    assert (ours["image"].float() - torch.from_numpy(image)).abs().max() <= 1


@pytest.mark.parametrize("name", ["ssd1b", "odd", "bare"])
@pytest.mark.parametrize("size", [(20, 17), (8, 24), (24, 12)])
@pytest.mark.parametrize("tile", [8, 12])
def test_vae_decoder_in_tiles(name, size, tile, oracle, probe):
    """Equal to diffusers' tiled decode; near the whole decode, of which norms see more."""
    vae = oracle(name).vae
    latents = noise(1, 4, *size)
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    kept = vae.tile_latent_min_size, vae.tile_sample_min_size

    ours = probe(name, "vae_decode", {"latents": latents}, "--tile", str(tile))["pixels"]

    vae.tile_latent_min_size, vae.tile_sample_min_size = tile, tile * factor
    try:
        with torch.no_grad():
            theirs = vae.tiled_decode(vae_space(vae, latents)).sample
    finally:
        vae.tile_latent_min_size, vae.tile_sample_min_size = kept
    assert_close(ours, theirs)


def test_pixels_are_rounded_half_to_even_and_clamped(oracle, probe):
    decoded = probe("ssd1b", "vae_decode", {"latents": noise(1, 4, 8, 8)})

    image = (decoded["pixels"][0] * 0.5 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()
    assert (decoded["image"].numpy() == (image * 255).round().astype("uint8")).all()
    assert decoded["image"].min() == 0 and decoded["image"].max() == 255


@pytest.mark.parametrize("name", ["ssd1b", "odd", "bare", "mish"])
def test_vae_encoder(name, oracle, probe):
    vae = oracle(name).vae
    pixels = noise(2, 3, 64, 96).clamp(-1, 1)

    ours = probe(name, "vae_encode", {"pixels": pixels})

    with torch.no_grad():
        theirs = vae.encode(pixels).latent_dist
    assert_close(ours["mean"], theirs.mean)
    assert_close(ours["std"], theirs.std)
    assert_close(vae_space(vae, ours["scaled"]), theirs.mean)


@pytest.mark.parametrize("name", ["ssd1b", "odd"])
def test_vae_decoder_in_bfloat16(name, oracle, probe):
    vae = oracle(name).vae
    latents = noise(1, 4, 16, 16)

    ours = probe(name, "vae_decode", {"latents": latents}, "--dtype", "bfloat16")["pixels"]

    with torch.no_grad():
        assert_close(ours, vae.decode(vae_space(vae, latents)).sample, BFLOAT16)
