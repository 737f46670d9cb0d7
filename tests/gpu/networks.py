"""Networks and kernels on a GPU beside diffusers and ATen, with the same random weights."""

import json
import subprocess
import time

import models
import safetensors.torch
import torch
from comparing import dtype_of, half, side_of, snr_db, summary, time_calls
from diffusers import AutoencoderKL, UNet2DConditionModel

FULL = models.changed(
    models.SSD1B,
    text={"hidden_size": 768, "heads": 12, "layers": 12},
    text_2={"hidden_size": 1280, "heads": 20, "layers": 32},
    unet={"block_out_channels": [320, 640, 1280], "attention_head_dim": [5, 10, 20], "norm_num_groups": 32,
          "addition_time_embed_dim": 256, "sample_size": 128},
    vae={"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "norm_num_groups": 32,
         "sample_size": 1024},
)
SPECS = {"ssd1b": FULL, "tiny": models.SSD1B}
REPEATS = {"ssd1b": 20, "tiny": 3}
ENOUGH_DB = 80  # in float32 both are far above it, and differ by luck


def least_db(beside):
    """What an answer of ours must have where diffusers' has `beside`."""
    return min(ENOUGH_DB, beside - 1)


def probe(stage, module, tensors, dtype, repeats=1, warmup=0, flags=()):
    """Our network's answer and the times of its calls."""
    safetensors.torch.save_file({k: v.contiguous() for k, v in tensors.items()}, stage.work / "in.safetensors")
    out = stage.work / f"out-{module}-{time.monotonic_ns()}.safetensors"  # is mapped: written once
    command = [stage.bin / "ssd1b-probe", module, "--model", stage.model, "--device", stage.device,
               "--dtype", dtype, "--input", stage.work / "in.safetensors", "--output", out,
               "--repeat", warmup + repeats, *flags]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    print(done.stdout[-2000:], done.stderr)
    done.check_returncode()
    times = [float(line.split()[0][8:]) for line in done.stdout.splitlines() if line.startswith("call_ms=")]
    answer = {name: value.clone() for name, value in safetensors.torch.load_file(out).items()}
    out.unlink()
    return answer, summary(times[warmup:])


def kernels(stage):
    """Our kernels beside ATen's in their place, both against float64."""
    if stage.is_cpu:
        stage.report(skipped="kernels are of GPUs")
        return
    done = subprocess.run([stage.bin / "ssd1b-kernel-run", "--device", stage.device],
                          capture_output=True, text=True, check=False)
    print(done.stderr)
    done.check_returncode()
    results = json.loads(done.stdout)
    stage.report(results=results)
    wrong = [each for each in results if not each["ours_error"] <= max(1.1 * each["aten_error"], 1e-3)]
    assert not wrong, wrong


def model(stage):
    """A model of the size asked for, with random weights in half precision on disk."""
    if not stage.model.exists():
        part = stage.model.with_suffix(".part")
        models.save_model(SPECS[stage.size], part, seed=1, device=stage.device,
                          dtype=torch.float32 if stage.is_cpu else torch.float16)
        part.rename(stage.model)
    size = sum(file.stat().st_size for file in stage.model.rglob("*") if file.is_file())
    stage.report(bytes=size)


def unet_inputs(stage, rows, side):
    """Activations and timesteps of `rows` different rows, on the CPU in float32."""
    config = UNet2DConditionModel.load_config(stage.model / "unet")
    generator = torch.Generator("cpu").manual_seed(rows)
    text_2 = json.loads((stage.model / "text_encoder_2" / "config.json").read_text())
    return {
        "latents": torch.randn(rows, 4, side, side, generator=generator),
        "timesteps": torch.linspace(951, 1, rows),
        "embeddings": torch.randn(rows, 77, config["cross_attention_dim"], generator=generator),
        "pooled": torch.randn(rows, text_2["projection_dim"], generator=generator),
        "time_ids": torch.tensor([[1024.0, 1024, 0, 0, 1024, 1024]]).repeat(rows, 1),
    }


def their_unet(stage, dtype):
    unet = UNet2DConditionModel.from_pretrained(stage.model / "unet", torch_dtype=dtype_of(dtype))
    return unet.to(stage.device, memory_format=torch.channels_last).eval()


def call_of(stage, unet, inputs):
    moved = {name: value.to(stage.device, unet.dtype) for name, value in inputs.items()}
    moved["timesteps"] = inputs["timesteps"].to(stage.device)
    latents = moved["latents"].contiguous(memory_format=torch.channels_last)
    added = {"text_embeds": moved["pooled"], "time_ids": moved["time_ids"]}
    return lambda: unet(latents, moved["timesteps"], moved["embeddings"], added_cond_kwargs=added).sample


def row_counts(stage):
    return (2,) if stage.is_cpu else (1, 2, 4, 8, 16)


def unet(stage):
    """One UNet call: against float32 on the same weights, then timed beside PyTorch eager."""
    torch.backends.cudnn.allow_tf32 = False
    inputs = unet_inputs(stage, 2, side_of(stage))
    with torch.inference_mode():
        wanted = call_of(stage, their_unet(stage, "float32"), inputs)().float().cpu()
    failed = []
    for dtype in ("float32", "bfloat16") if stage.is_cpu else ("float32", "float16", "bfloat16"):
        theirs = their_unet(stage, dtype)
        with torch.inference_mode():
            beside = snr_db(call_of(stage, theirs, inputs)(), wanted)
        ours = snr_db(probe(stage, "unet", inputs, dtype)[0]["sample"], wanted)
        stage.report(**{f"snr_db_{dtype}": {"ours": ours, "diffusers": beside}})
        if ours < least_db(beside):
            failed.append((dtype, ours, beside))
    repeats = REPEATS[stage.size]
    dtype = half(stage)
    theirs = their_unet(stage, dtype)
    for rows in row_counts(stage):
        inputs = unet_inputs(stage, rows, side_of(stage))
        eager = time_calls(stage, call_of(stage, theirs, inputs), repeats)
        answer, ours = probe(stage, "unet", inputs, dtype, repeats, warmup=3)
        replayed, graphs = probe(stage, "unet", inputs, dtype, repeats, warmup=3, flags=["--graphs"])
        is_same = torch.equal(answer["sample"], replayed["sample"])
        stage.report(**{f"rows_{rows}": {"ours": ours, "ours_with_graphs": graphs, "eager": eager, "same": is_same}})
        if not is_same:
            failed.append((rows, "graphs change the answer"))
    assert not failed, failed


def unet_compiled(stage):
    compiled = torch.compile(their_unet(stage, half(stage)), fullgraph=True)
    for rows in row_counts(stage)[1:4:2] or (2,):
        inputs = unet_inputs(stage, rows, side_of(stage))
        begin = time.perf_counter()
        times = time_calls(stage, call_of(stage, compiled, inputs), REPEATS[stage.size])
        stage.report(**{f"rows_{rows}": {"compiled": times, "with_compilation_s": round(time.perf_counter() - begin, 1)}})


def vae(stage):
    torch.backends.cudnn.allow_tf32 = False
    side, repeats = side_of(stage), max(3, REPEATS[stage.size] // 2)
    latents = 0.13 * torch.randn(1, 4, side, side, generator=torch.Generator("cpu").manual_seed(3))
    scale = AutoencoderKL.load_config(stage.model / "vae")["scaling_factor"]
    wanted = None
    for dtype in ("float32", "bfloat16"):
        theirs = AutoencoderKL.from_pretrained(stage.model / "vae", torch_dtype=dtype_of(dtype)).to(stage.device)
        input_ = (latents / scale).to(stage.device, dtype_of(dtype))
        call = lambda: theirs.decode(input_).sample  # noqa: E731, B023
        eager = time_calls(stage, call, repeats)
        with torch.inference_mode():
            answer = call().float().cpu()
        wanted = answer if wanted is None else wanted
        ours, times = probe(stage, "vae_decode", {"latents": latents}, dtype, repeats, warmup=3)
        ours_db, their_db = snr_db(ours["pixels"], wanted), snr_db(answer, wanted)
        stage.report(**{dtype: {"ours": times, "eager": eager, "ours_snr_db": ours_db, "diffusers_snr_db": their_db}})
        assert ours_db >= least_db(their_db), (dtype, ours_db, their_db)
