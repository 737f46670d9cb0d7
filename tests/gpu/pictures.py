"""Whole pictures on a GPU beside diffusers: parity, times, memory, and a mixed load."""

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
from comparing import dtype_of, half, psnr_db, side_of, snr_db, summary, time_calls
from diffusers import LCMScheduler, StableDiffusionXLPipeline

PROMPT = "a red apple on a wooden table"
STEPS = {"ssd1b": 25, "tiny": 3}
SEED = 7


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


def request_of(stage, seed=SEED, **changes):
    side = 8 * side_of(stage)
    return {"prompt": PROMPT, "seed": seed, "steps": STEPS[stage.size], "guidance_scale": 5.0,
            "width": side, "height": side, **changes}


def time_their_pictures(stage, pipe, count, request):
    def call():
        pipe(request["prompt"], num_inference_steps=request["steps"], guidance_scale=request["guidance_scale"],
             width=request["width"], height=request["height"], num_images_per_prompt=count)

    return time_calls(stage, call, 3, warmup=1)


def our_pictures(stage, count):
    """The times of `count` pictures that are asked for at once, in three processes, and the last one's report."""
    requests = [request_of(stage, SEED + i) for i in range(count)]
    reports = [engine(stage, stage.model, requests, half(stage), "--warmup", 1)[1] for _ in range(3)]
    return {**summary([each["total_ms"] for each in reports]), "last": reports[-1]}


def pictures(stage):
    """Whole pictures from the prompt to bytes on the host, at batch 1 and 8."""
    pipe = pipeline(stage.model, dtype_of(half(stage)), stage.device)
    for count in (1, 8) if not stage.is_cpu else (1, 2):
        found = {"ours": our_pictures(stage, count)}
        stage.report(**{f"batch_{count}": found})
        found["eager"] = time_their_pictures(stage, pipe, count, request_of(stage))
        stage.report(**{f"batch_{count}": found})


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
    """Whole pictures beside diffusers with its UNet compiled for each shape; "reduce-overhead" replays CUDA graphs."""
    pipe = pipeline(stage.model, dtype_of(half(stage)), stage.device)
    unet = pipe.unet.to(memory_format=torch.channels_last)
    modes_of = {1: ("default",)} if stage.is_cpu else {1: ("default", "reduce-overhead"), 8: ("default",)}
    for count, modes in modes_of.items():
        found = {"ours": our_pictures(stage, count)}
        for mode in modes:
            torch.compiler.reset()
            pipe.unet = torch.compile(unet, fullgraph=True, dynamic=False, mode=mode)
            found[f"compiled, {mode}"] = time_their_pictures(stage, pipe, count, request_of(stage))
            stage.report(**{f"batch_{count}": found})


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
