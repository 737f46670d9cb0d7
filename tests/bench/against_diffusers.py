"""ssd1b-server against diffusers: the same machine, model, seed, threads and dtype, in turn.

    against_diffusers.py picture|float32|bfloat16 [--pairs N] [--json FILE]

picture: models/icons with its own defaults, request to PNG, ours through HTTP. float32, bfloat16:
load, UNet call and VAE decode of a model of SSD-1B's size at 512 x 512 (random weights, float16
files, 4.5 GB written once to ~/.cache/ssd1b-bench). Each pair is one run of diffusers and one of
ours, the order changing from pair to pair; FILE collects the pairs of many calls. Printed are
medians, theirs / ours, and the 95 % interval of that ratio from the pairs. The processors' time is
kept with every timing, and a timing of the UNet or the VAE during which less than 1.9 of 2 threads
worked is dropped: something else had the cores, or the call leaves them idle. What all timings say
is printed beside it.
"""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import requests

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
BIN = Path(os.environ.get("SSD1B_BIN_DIR", REPO / "build" / "bin"))
ICONS = REPO / "models" / "icons"
THREADS = 2
MIN_BUSY = 0.95  # of the threads
COMPUTING = ("unet_call", "vae")  # both threads work all the time, unless others have the cores
PROMPT = "a red apple"
# Student's t, two-sided 95 %, by degrees of freedom
T95 = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13]


def output_of(*command):
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stderr}")
    return json.loads(done.stdout)


def diffusers_side(model, dtype, size, steps, *more):
    return output_of(sys.executable, HERE / "diffusers_side.py", model, "--dtype", dtype, "--threads",
                     THREADS, "--size", size, "--steps", steps, *more)


def their_networks(model, dtype):
    return diffusers_side(model, dtype, 512, 2)


def our_networks(model, dtype, warmup=1):
    return output_of(BIN / "ssd1b-bench", "--model", model, "--device", "cpu", "--dtype", dtype,
                     "--vae-dtype", dtype, "--threads", THREADS, "--width", 512, "--height", 512,
                     "--steps", 2, "--prompt", PROMPT, "--seed", 0, "--warmup", warmup, "--runs", 2 - warmup)


def their_pictures():
    own = json.loads((ICONS / "generation_config.json").read_text())
    return diffusers_side(ICONS, "float32", own["width"], own["steps"], "--guidance-scale",
                          own["guidance_scale"], "--runs", 3)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def worker_of(server_pid):
    children = Path(f"/proc/{server_pid}/task").glob("*/children")
    return next(int(pid) for each in children for pid in each.read_text().split())


def our_pictures():
    command = [BIN / "ssd1b-server", "--model", ICONS, "--port", 0, "--device", "cpu", "--threads", THREADS]
    server = subprocess.Popen([str(each) for each in command], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL)
    try:
        url = re.search(r"http://\S+", server.stdout.readline()).group()
        while requests.get(url + "/readyz", timeout=60).status_code != 200:
            time.sleep(0.05)
        worker = worker_of(server.pid)
        times = {"walls_ms": [], "cpus_ms": []}
        for i in range(4):
            wall, cpu = time.perf_counter(), cpu_seconds(worker) + cpu_seconds(server.pid)
            reply = requests.post(url + "/generate-image", json={"prompt": PROMPT, "seed": 0},
                                  headers={"Accept": "image/png"}, timeout=600)
            reply.raise_for_status()
            if i > 0:  # the first one warms up
                times["walls_ms"].append(1e3 * (time.perf_counter() - wall))
                used = cpu_seconds(worker) + cpu_seconds(server.pid) - cpu
                times["cpus_ms"].append(1e3 * used)
        return {"stages": {"request_to_png": times}}
    finally:
        server.terminate()
        server.wait()


def sides_of(case):
    """(diffusers' side, ours): functions that return one run's stages."""
    if case == "picture":
        return their_pictures, our_pictures
    from random_model import random_ssd1b

    model = random_ssd1b(Path.home() / ".cache" / "ssd1b-bench" / "ssd-1b")
    return (lambda: their_networks(model, case)), (lambda: our_networks(model, case))


def median_of(run, stage, min_busy):
    """The median of a run's timings that count; None where none does."""
    times = run["stages"][stage]
    kept = [wall for wall, cpu in zip(times["walls_ms"], times["cpus_ms"])
            if cpu >= min_busy * THREADS * wall]
    return statistics.median(kept) if kept else None


def ratio_and_interval(pairs):
    """theirs / ours: the geometric mean of the pairs' and its 95 % interval, None below 2 pairs."""
    logs = [math.log(theirs / ours) for theirs, ours in pairs]
    mean = statistics.mean(logs)
    if len(logs) < 2:
        return math.exp(mean), None
    half = T95[min(len(logs) - 2, len(T95) - 1)] * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), (math.exp(mean - half), math.exp(mean + half))


def line_of(pairs, stage, min_busy):
    both = [(median_of(pair["theirs"], stage, min_busy), median_of(pair["ours"], stage, min_busy))
            for pair in pairs]
    kept = [each for each in both if None not in each]
    if not kept:
        return f"{stage:16} no pair of {len(pairs)} counts: less than 1.9 threads worked"
    theirs, ours = (statistics.median(side) for side in zip(*kept))
    ratio, interval = ratio_and_interval(kept)
    shown = "-" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"
    return f"{stage:16} {len(kept):2} of {len(pairs):2} pairs   {theirs:9.0f} ms {ours:9.0f} ms   {ratio:5.2f}   {shown}"


def print_summary(case, pairs, other):
    print(f"{case:16} pairs {other:>21}         ours   ratio   95 % interval")
    wanted = ("request_to_png",) if case == "picture" else ("load", "text_encoder", *COMPUTING)
    for stage in wanted:
        line = line_of(pairs, stage, MIN_BUSY if stage in COMPUTING else 0)
        print(line)
        # Some calls leave a thread without work on an idle machine, too: diffusers' VAE in bfloat16.
        if stage in COMPUTING and (with_all := line_of(pairs, stage, 0)) != line:
            print(with_all, "  all timings")
    for side in ("theirs", "ours"):
        memory = pairs[-1][side].get("memory_after_load_mb")
        if memory:
            print(f"{side}: after load {memory['resident']:.0f} MB resident, {memory['peak']:.0f} MB at most")


def compare(args, other, theirs, ours):
    """Adds args.pairs of `theirs` and `ours` to the case's in args.json and prints what all say."""
    known = json.loads(args.json.read_text()) if args.json.exists() else {}
    pairs = known.setdefault(args.case, [])
    for _ in range(args.pairs):
        pair = {"began": time.time()}
        order = [("theirs", theirs), ("ours", ours)]
        for side, run in order if len(pairs) % 2 == 0 else reversed(order):
            pair[side] = run()
        pairs.append(pair)
        args.json.write_text(json.dumps(known, indent=1))
    if pairs:
        print_summary(args.case, pairs, other)


def parser_of(description, cases, other):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("case", choices=cases)
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--json", type=Path, default=Path(f"against_{other}.json"))
    return parser


def main():
    args = parser_of(__doc__, ["picture", "float32", "bfloat16"], "diffusers").parse_args()
    compare(args, "diffusers", *sides_of(args.case))


if __name__ == "__main__":
    main()
