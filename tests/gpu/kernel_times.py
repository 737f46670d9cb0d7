"""Where the time of a call goes on a GPU: every kernel by Nsight Compute, and calls without our own kernels."""

import collections
import csv
import shutil
import statistics
import subprocess

import safetensors.torch
import torch
from comparing import half, side_of
from networks import REPEATS, unet_inputs

MOST = 20  # kernels that are named
NCU = ["ncu", "--metrics", "gpu__time_duration.sum", "--clock-control", "none", "--cache-control", "none",
       "--csv", "--page", "raw", "--print-units", "base"]
NAME, TIME = "Kernel Name", "gpu__time_duration.sum"  # in nanoseconds


def probes(stage):
    """Arguments of ssd1b-probe for one guided picture's UNet call and its decoding."""
    latents = 0.13 * torch.randn(1, 4, side_of(stage), side_of(stage), generator=torch.Generator("cpu").manual_seed(3))
    for module, tensors, dtype in (("unet", unet_inputs(stage, 2, side_of(stage)), half(stage)),
                                   ("vae_decode", {"latents": latents}, "bfloat16")):
        file = stage.work / f"profile-{module}.safetensors"
        safetensors.torch.save_file({name: value.contiguous() for name, value in tensors.items()}, file)
        yield module, [module, "--model", stage.model, "--device", stage.device, "--dtype", dtype,
                       "--input", file, "--output", stage.work / "profile-out.safetensors"]


def run(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    print(done.stderr[-2000:])
    done.check_returncode()
    return done.stdout


def kernel_calls(output):
    """(name, microseconds) of each line of ncu's table, which stands among the program's own."""
    table = csv.DictReader(line for line in output.splitlines() if line.startswith('"'))
    next(table)  # the units
    return [(row[NAME], float(row[TIME].replace(",", "")) / 1000) for row in table]


def difference(longer, shorter):
    """Kernels of the calls that one run has more than the other, by name: summed time and number."""
    times, counts = collections.Counter(), collections.Counter()
    for calls, sign in ((longer, 1), (shorter, -1)):
        for name, microseconds in calls:
            times[name[:120]] += sign * microseconds
            counts[name[:120]] += sign
    return [{"kernel": name, "us": round(us, 1), "calls": counts[name]}
            for name, us in times.most_common() if counts[name]]


def profile(stage):
    """Three calls less two: what one takes, without the load and the proofs."""
    if stage.is_cpu or not shutil.which("ncu"):
        stage.report(skipped="needs a GPU and Nsight Compute")
        return
    for module, arguments in probes(stage):
        runs = [kernel_calls(run([*NCU, stage.bin / "ssd1b-probe", *arguments, "--repeat", n])) for n in (3, 2)]
        found = difference(*runs)
        stage.report(**{module: {"all_us": round(sum(each["us"] for each in found)), "kernels": found[:MOST]}})


def without_kernels(stage):
    """The same calls where the library of our kernels is not beside the program."""
    plain = stage.work / "plain"
    plain.mkdir(exist_ok=True)
    for name in ("ssd1b-probe", "libssd1b_cuda_graph.so"):
        if (stage.bin / name).exists():
            shutil.copy(stage.bin / name, plain)
    repeats = REPEATS[stage.size]
    for module, arguments in probes(stage):
        medians = {}
        for name, folder in (("ours", stage.bin), ("without", plain)):
            output = run([folder / "ssd1b-probe", *arguments, "--repeat", 3 + repeats])
            times = [float(line.split()[0][8:]) for line in output.splitlines() if line.startswith("call_ms=")]
            medians[f"{name}_ms"] = round(statistics.median(times[3:]), 2)
        stage.report(**{module: medians})
