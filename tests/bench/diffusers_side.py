"""What ssd1b-bench does, with diffusers: loads a model, makes pictures, prints the stages' times.

    diffusers_side.py MODEL --dtype float32 --threads 2 --size 512 --steps 2 --warmup 1 --runs 2
"""

import argparse
import io
import json
import time
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline

PROMPT = "a red apple"


class Stages:
    """Wall and processor time by stage, in the form of ssd1b-bench's JSON."""

    def __init__(self):
        self.times = {}
        self.counts = True

    def timed(self, stage, function):
        def run(*args, **kwargs):
            wall, cpu = time.perf_counter(), time.process_time()
            result = function(*args, **kwargs)
            if self.counts:
                times = self.times.setdefault(stage, {"walls_ms": [], "cpus_ms": []})
                times["walls_ms"].append(1e3 * (time.perf_counter() - wall))
                times["cpus_ms"].append(1e3 * (time.process_time() - cpu))
            return result

        return run


def memory_mb(process="self"):
    """A process's memory in MB (10^6 bytes), now and at most so far."""
    status = Path(f"/proc/{process}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    names = {"resident": "VmRSS", "peak": "VmHWM"}
    return {name: int(fields[key].split()[0]) * 1024 / 1e6 for name, key in names.items()}


def png_of(pipe, args):
    picture = pipe(
        PROMPT,
        num_inference_steps=args.steps,
        guidance_scale=args.guidance_scale,
        width=args.size,
        height=args.size,
        generator=torch.Generator("cpu").manual_seed(0),
    ).images[0]
    file = io.BytesIO()
    picture.save(file, "PNG")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--guidance-scale", type=float, default=7.5)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    stages = Stages()
    load = stages.timed("load", StableDiffusionXLPipeline.from_pretrained)
    pipe = load(args.model, torch_dtype=getattr(torch, args.dtype), add_watermarker=False)
    memory = memory_mb()
    pipe.set_progress_bar_config(disable=True)
    pipe.upcast_vae = lambda: None  # in bfloat16 nothing overflows; the VAE is timed in the dtype
    pipe.vae.config.force_upcast = False
    pipe.encode_prompt = stages.timed("text_encoder", pipe.encode_prompt)
    pipe.unet.forward = stages.timed("unet_call", pipe.unet.forward)
    pipe.vae.decode = stages.timed("vae", pipe.vae.decode)
    for i in range(args.warmup + args.runs):
        stages.counts = i >= args.warmup
        stages.timed("request_to_png", png_of)(pipe, args)
    print(json.dumps({"memory_after_load_mb": memory, "stages": stages.times}))


if __name__ == "__main__":
    main()
