"""ssd1b-bench against sd-cli of stable-diffusion.cpp: the same machine, file and threads, in turn.

    against_sdcpp.py float32|bfloat16 SD_CLI [--pairs N] [--json FILE] [--file CHECKPOINT] [-- OPTIONS]

Both load a checkpoint of SSD-1B's size (random weights in float16, 4.5 GB, written once to
~/.cache/ssd1b-bench) and make two pictures of 512 x 512 with two steps of Euler, guidance 7.5 and
no negative prompt. The load and the text encoders are of the first, the others of the second one.
"unet_call" is what a step computes for prompt and negative prompt: one call of two rows here, two
calls of one row there. OPTIONS go to sd-cli. Pairs and lines are as against_diffusers.py has them.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from against_diffusers import PROMPT, THREADS, compare, cpu_seconds, our_networks, parser_of
from diffusers_side import memory_mb
from random_model import random_ssd1b
from single_files import write_single_file

# What sd-cli prints, and the stage that ends there; None where one only begins.
MARKS = {
    r"generate_image \d+x\d+": "load",
    r"get_learned_condition completed": "text_encoder",
    r"generating image: \d+/\d+": None,
    r"\d+/\d+ - [\d.]+(?:s/it|it/s)": "unet_call",
    r"decoding \d+ latents": None,
    r"latent \d+ decoded": "vae",
}
ANY_MARK = re.compile("|".join(f"({pattern})" for pattern in MARKS))
COUNTED = {"load": slice(1), "text_encoder": slice(1), "unet_call": slice(2, 4), "vae": slice(1, 2)}


def counted(run):
    """The run without the timings that only warm up."""
    stages = {
        stage: {kind: run["stages"][stage][kind][part] for kind in ("walls_ms", "cpus_ms")}
        for stage, part in COUNTED.items()
    }
    return {"memory_after_load_mb": run["memory_after_load_mb"], "stages": stages}


def timed_by_output(process):
    """A running sd-cli's stages, by when it prints what."""
    stages = {stage: {"walls_ms": [], "cpus_ms": []} for stage in COUNTED}
    run, before = {"stages": stages}, (time.perf_counter(), 0.0)
    printed = ""
    while chunk := os.read(process.stdout.fileno(), 1 << 16).decode(errors="replace"):
        printed += chunk
        for mark in ANY_MARK.finditer(chunk):
            now = (time.perf_counter(), cpu_seconds(process.pid))
            stage = list(MARKS.values())[mark.lastindex - 1]
            if stage is not None:
                stages[stage]["walls_ms"].append(1e3 * (now[0] - before[0]))
                stages[stage]["cpus_ms"].append(1e3 * (now[1] - before[1]))
            if stage == "load":
                run["memory_after_load_mb"] = memory_mb(process.pid)
            before = now
    if process.wait() != 0 or len(stages["vae"]["walls_ms"]) != 2:
        sys.exit(f"sd-cli failed: {printed}")
    return run


def their_networks(sd_cli, file, options):
    with tempfile.TemporaryDirectory() as folder:
        command = [sd_cli, "--model", file, "--threads", THREADS, "--width", 512, "--height", 512,
                   "--steps", 2, "--batch-count", 2, "--sampling-method", "euler", "--scheduler", "discrete",
                   "--cfg-scale", 7.5, "--seed", 0, "--prompt", PROMPT, "--eager-load",
                   "--output", Path(folder) / "picture_%d.png", *options]
        with subprocess.Popen([str(each) for each in command], stdout=subprocess.PIPE) as process:
            return timed_by_output(process)


def checkpoint():
    """The random model as one file; a file written halfway has another name."""
    folder = Path.home() / ".cache" / "ssd1b-bench"
    file = folder / "ssd-1b-single.safetensors"
    if not file.exists():
        write_single_file(random_ssd1b(folder / "ssd-1b"), file.with_suffix(".part"), leftovers=False)
        file.with_suffix(".part").rename(file)
    return file


def main():
    parser = parser_of(__doc__, ["float32", "bfloat16"], "sdcpp")
    parser.add_argument("sd_cli", type=Path)
    parser.add_argument("--file", type=Path)
    parser.add_argument("options", nargs="*", help="options of sd-cli, after --")
    args = parser.parse_intermixed_args()
    file = args.file or checkpoint()
    compare(
        args,
        "sd-cli",
        lambda: {"options": args.options, **counted(their_networks(args.sd_cli, file, args.options))},
        lambda: counted(our_networks(file, args.case, warmup=0)),
    )


if __name__ == "__main__":
    main()
