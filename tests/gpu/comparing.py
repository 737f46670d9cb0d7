"""What stages of networks and of whole pictures share: how far results are apart, and how long calls take."""

import math
import statistics
import time

import numpy as np
import torch


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
            "p95_ms": round(ordered[math.ceil(0.95 * (len(ordered) - 1))], 3), "count": len(ordered)}


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


def side_of(stage):
    return 128 if stage.size == "ssd1b" else 16
