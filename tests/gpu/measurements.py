"""Parity and timings of tests/gpu/run, with diffusers beside us on the same random weights."""

import json
import random
import statistics
import subprocess
import threading
import time

import models
import numpy as np
import safetensors.torch
import torch
from diffusers import AutoencoderKL, LCMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

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
PROMPT = "a red apple on a wooden table"
STEPS = {"ssd1b": 25, "tiny": 3}
REPEATS = {"ssd1b": 20, "tiny": 3}
SEED = 7
# Of the nets in half precision against float32 on the same weights; whole trajectories lose more.
MIN_UNET_SNR_DB = {"float32": 80, "float16": 40, "bfloat16": 25}


def dtype_of(name):
    return getattr(torch, name)


def half(stage):
    """What half precision is measured in: the CPU has no fast float16."""
    return "bfloat16" if stage.is_cpu else "float16"


def snr_db(got, wanted):
    got, wanted = got.double().cpu(), wanted.double().cpu()
    noise = float((got - wanted).square().mean())
    return round(10 * np.log10(float(wanted.var()) / noise), 1) if noise else 300.0


def psnr_db(got, wanted):
    error = float(((got.double() - wanted.double()) ** 2).mean())
    return round(10 * np.log10(255**2 / error), 1) if error else 300.0


def summary(times_ms):
    ordered = sorted(times_ms)
    return {"median_ms": round(statistics.median(ordered), 3), "min_ms": round(ordered[0], 3),
            "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 3), "count": len(ordered)}


def synchronize(stage):
    if not stage.is_cpu:
        torch.cuda.synchronize(stage.device)


def time_calls(stage, call, repeats, warmup=3):
    times = []
    with torch.inference_mode():
        for i in range(warmup + repeats):
            begin = time.perf_counter()
            call()
            synchronize(stage)
            if i >= warmup:
                times.append(1000 * (time.perf_counter() - begin))
    return summary(times)


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


def engine(stage, folder, requests, dtype, *flags):
    """Our pictures [H, W, 3], latents and the report of ssd1b-engine-run."""
    (stage.work / "requests.json").write_text(json.dumps(requests))
    out = stage.work / f"pictures-{time.monotonic_ns()}.safetensors"
    command = [stage.bin / "ssd1b-engine-run", stage.work / "requests.json", "--model", folder,
               "--device", stage.device, "--dtype", dtype, "--output", out, *flags]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    print(done.stderr[-4000:])
    done.check_returncode()
    tensors = {name: value.clone() for name, value in safetensors.torch.load_file(out).items()}
    out.unlink()
    report = json.loads(done.stdout)
    report["graphs"] = done.stderr.count("UNet call recorded")
    faults = [picture["fault"] for picture in report["pictures"] if picture["fault"]]
    assert not faults, faults
    return tensors, report


def pipeline(folder, dtype, device):
    pipe = StableDiffusionXLPipeline.from_pretrained(folder, torch_dtype=dtype, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def their_picture(pipe, request, noise_dtype):
    """diffusers' picture [H, W, 3] and latents, from noise drawn in `noise_dtype`."""
    seen = {}

    def keep(_pipe, _step, _timestep, tensors):
        seen["latents"] = tensors["latents"].detach().float().cpu()
        return tensors

    generator = torch.Generator("cpu").manual_seed(request["seed"])
    factor = pipe.vae_scale_factor
    shape = (1, 4, request["height"] // factor, request["width"] // factor)
    noise = torch.randn(shape, generator=generator, dtype=noise_dtype)
    picture = pipe(
        request["prompt"], num_inference_steps=request["steps"], guidance_scale=request["guidance_scale"],
        width=request["width"], height=request["height"], latents=noise.to(pipe.unet.device, pipe.unet.dtype),
        callback_on_step_end=keep,
    ).images[0]
    return torch.from_numpy(np.array(picture)), seen["latents"]


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


def small_parity(stage):
    """Pictures of small models against float32 diffusers on the CPU, and diffusers' own on the
    device in the same dtype against the same: ours must not be worse by more than 1 dB."""
    torch.backends.cudnn.allow_tf32 = False
    worse = []
    for name in ("ssd1b",) if stage.is_cpu else ("ssd1b", "odd"):
        folder = stage.work / "models" / f"small-{name}"
        if not folder.exists():
            models.save_model(models.SPECS[name], folder, seed=len(name))
        request = {"prompt": PROMPT, "seed": SEED, "steps": 6, "guidance_scale": 5.0, "width": 128, "height": 128}
        oracle = pipeline(folder, torch.float32, "cpu")
        for dtype in ("float32", "bfloat16") if stage.is_cpu else ("float32", "float16", "bfloat16"):
            wanted, wanted_latents = their_picture(oracle, request, dtype_of(dtype))
            theirs, their_latents = their_picture(
                pipeline(folder, dtype_of(dtype), stage.device), request, dtype_of(dtype))
            tensors, _ = engine(stage, folder, [request], dtype, "--vae-dtype", "float32")
            ours = {"latents_snr_db": snr_db(tensors["latents.0"].view_as(wanted_latents), wanted_latents),
                    "picture_psnr_db": psnr_db(tensors["image.0"], wanted)}
            beside = {"latents_snr_db": snr_db(their_latents, wanted_latents), "picture_psnr_db": psnr_db(theirs, wanted)}
            stage.report(**{f"{name}_{dtype}": {"ours": ours, "diffusers": beside}})
            least = min(beside["latents_snr_db"] - 1, 80)
            if ours["latents_snr_db"] < least:
                worse.append(f"{name} {dtype}: {ours} beside {beside}")
    assert not worse, worse


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


def side_of(stage):
    return 128 if stage.size == "ssd1b" else 16


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
        if ours < min(MIN_UNET_SNR_DB[dtype], beside - 1):
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


def graphs(stage):
    """Pictures of two sizes with graphs and without: the same bytes."""
    sides = [request_of(stage)["width"], request_of(stage)["width"] // 2]
    requests = [request_of(stage, SEED + i, width=side, height=side) for i, side in enumerate(sides * 2)]
    with_graphs, report = engine(stage, stage.model, requests, half(stage))
    without, plain = engine(stage, stage.model, requests, half(stage), "--no-graphs")
    differ = [name for name, value in without.items() if not torch.equal(value, with_graphs[name])]
    stage.report(recorded=report["graphs"], differ=differ,
                 total_ms={"with": report["total_ms"], "without": plain["total_ms"]})
    assert not differ, differ
    assert plain["graphs"] == 0 and (stage.is_cpu or report["graphs"] >= len(sides)), (plain["graphs"], report["graphs"])


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
        stage.report(**{dtype: {"ours": times, "eager": eager, "ours_snr_db": snr_db(ours["pixels"], wanted),
                                "diffusers_snr_db": snr_db(answer, wanted)}})


def request_of(stage, seed=SEED, **changes):
    side = 8 * side_of(stage)
    return {"prompt": PROMPT, "seed": seed, "steps": STEPS[stage.size], "guidance_scale": 5.0,
            "width": side, "height": side, **changes}


def time_their_pictures(stage, pipe, count, request):
    def call():
        pipe(request["prompt"], num_inference_steps=request["steps"], guidance_scale=request["guidance_scale"],
             width=request["width"], height=request["height"], num_images_per_prompt=count)

    return time_calls(stage, call, 3, warmup=1)


def pictures(stage):
    """Whole pictures from the prompt to bytes on the host, at batch 1 and 8."""
    pipe = pipeline(stage.model, dtype_of(half(stage)), stage.device)
    for count in (1, 8) if not stage.is_cpu else (1, 2):
        requests = [request_of(stage, SEED + i) for i in range(count)]
        totals = [engine(stage, stage.model, requests, half(stage), "--warmup", 1)[1] for _ in range(3)]
        stage.report(**{f"batch_{count}": {
            "ours": summary([each["total_ms"] for each in totals]), "ours_last": totals[-1]}})
        stage.result[f"batch_{count}"]["eager"] = time_their_pictures(stage, pipe, count, requests[0])
        stage.report()


class MostMemory:
    """The most of the device's memory that was taken while it lives, of all processes."""

    def __init__(self, stage):
        self.device = stage.device
        self.before = self.least_free = self._free()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _free(self):
        return torch.cuda.mem_get_info(self.device)[0]

    def _watch(self):
        while not self.over.wait(0.002):
            self.least_free = min(self.least_free, self._free())

    def end(self):
        self.over.set()
        self.thread.join()
        return self.before - self.least_free


def memory(stage):
    """What whole pictures take of the device, CUDA's own memory included: as it comes, and under a
    limit that the text encoders do not fit. The pictures are the same."""
    if stage.is_cpu:
        stage.report(skipped="the host's memory has no limit")
        return
    limit = int(5.5 * 2**30)
    requests = [request_of(stage, SEED + i) for i in range(2)]
    pictures = {}
    for name, flags in {"as_it_comes": (), "limited": ("--device-memory-limit", limit)}.items():
        most = MostMemory(stage)
        pictures[name], report = engine(stage, stage.model, requests, half(stage), "--batch-invariant", *flags)
        of_torch = {key: report[key] for key in ("most_allocated_bytes", "most_reserved_bytes")}
        stage.report(**{name: {"most_bytes": most.end(), **of_torch, "total_ms": report["total_ms"]}})
    differ = [name for name, value in pictures["limited"].items()
              if not torch.equal(value, pictures["as_it_comes"][name])]
    stage.report(limit_bytes=limit, differ=differ)
    assert not differ, differ
    assert stage.result["limited"]["most_bytes"] <= limit, stage.result


def pictures_compiled(stage):
    pipe = pipeline(stage.model, dtype_of(half(stage)), stage.device)
    pipe.unet = torch.compile(pipe.unet.to(memory_format=torch.channels_last), fullgraph=True)
    for count in (1, 8) if not stage.is_cpu else (1,):
        stage.report(**{f"batch_{count}": {"compiled": time_their_pictures(stage, pipe, count, request_of(stage))}})


def latencies(values):
    ordered = sorted(values)
    return {"p50_ms": round(statistics.median(ordered)), "p99_ms": round(ordered[int(0.99 * (len(ordered) - 1))])}


def mixed_load(stage):
    """Seven of ten pictures are of LCM with 4 steps, three of 30 steps with guidance; they come at
    random at 80 % of the rate that diffusers can make them, one at a time in order of arrival."""
    pipe = pipeline(stage.model, dtype_of(half(stage)), stage.device)
    own = pipe.scheduler
    kinds = {
        "few": request_of(stage, steps=4, guidance_scale=0.0, scheduler="lcm"),
        "many": request_of(stage, steps=30 if stage.size == "ssd1b" else 6),
    }

    def make(kind):
        pipe.scheduler = LCMScheduler.from_config(own.config) if kind == "few" else own
        request = kinds[kind]
        pipe(request["prompt"], num_inference_steps=request["steps"], guidance_scale=request["guidance_scale"],
             width=request["width"], height=request["height"])

    cost = {}
    for kind in kinds:
        cost[kind] = time_calls(stage, lambda: make(kind), 2, warmup=1)["median_ms"]  # noqa: B023
    draw = random.Random(1)
    count = 60 if stage.size == "ssd1b" else 8
    names = [draw.choices(("few", "many"), (7, 3))[0] for _ in range(count)]
    gap = (0.7 * cost["few"] + 0.3 * cost["many"]) / 0.8
    arrivals, now = [], 0.0
    for _ in names:
        arrivals.append(now)
        now += draw.expovariate(1 / gap)
    free, theirs = 0.0, []  # one at a time, each as long as it was measured alone
    for name, arrival in zip(names, arrivals):
        free = max(free, arrival) + cost[name]
        theirs.append(free - arrival)
    requests = [{**kinds[name], "seed": i, "arrival_ms": at} for i, (name, at) in enumerate(zip(names, arrivals))]
    _, report = engine(stage, stage.model, requests, half(stage), "--warmup", 1)
    ours = [picture["latency_ms"] for picture in report["pictures"]]
    for kind in kinds:
        stage.report(**{kind: {
            "alone_eager_ms": cost[kind],
            "ours": latencies([t for t, name in zip(ours, names) if name == kind]),
            "eager_one_at_a_time": latencies([t for t, name in zip(theirs, names) if name == kind]),
        }})
    stage.report(total_ms=round(report["total_ms"]), units=report["units"])
