"""Our schedulers against diffusers, live: whole trajectories of a made-up model, step by step.

`ssd1b-scheduler-probe` (tests/schedulers) samples every job of one name (scheduler_jobs.py) in one
process; it is found by programs.py. Noise comes from CPU generators of equal seed.
"""

import functools
import importlib
import json
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from programs import BIN_DIR
from scheduler_jobs import JOBS, NAMES, SHAPE, STABLE_DIFFUSION

PROBE = BIN_DIR / "ssd1b-scheduler-probe"
# Of the standard deviation of diffusers' latents, at every step. Most are equal bit by bit. What
# differs is NumPy's own float32 logarithm, up to 4 units in the last place beside libm's: it moves
# fractional timesteps by one unit (6e-5), and DEIS divides by differences of such logarithms (up to
# 1.1e-4 seen with 50 beta sigmas, which lie closest; the last test shows that nothing else is in it).
# LMS multiplies by up to 1000 what it has when its last step extrapolates to 0 from steps close by.
TOLERANCE = 2e-5
TOLERANCES = {"DEISMultistep": 3e-4, "LMSDiscrete": 1e-4}
HALF_TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2}  # a few units in the last place
# UnboundLocalError: of sde-dpmsolver in the third order.
REFUSALS = (ValueError, IndexError, NotImplementedError, TypeError, RuntimeError, UnboundLocalError)


def made_up_model(sample, t):
    """Nonlinear, different at every timestep and place: latents must not become all alike."""
    places = torch.linspace(-2.0, 2.0, sample.numel()).reshape(sample.shape).to(sample.dtype)
    return 0.8 * torch.sin(1.7 * sample + 0.003 * t + places) + 0.3 * sample


class BrownianNoise:
    """The noise that DPMSolverSDEScheduler draws from a tree, of the draws that we make for it."""

    def __init__(self, generator, dtype):
        self.generator, self.dtype, self.reached = generator, dtype, None

    def __call__(self, sigma, sigma_next):
        fresh = torch.randn(SHAPE, generator=self.generator, dtype=self.dtype)
        if self.reached is None:  # to the middle of a step
            self.reached = (sigma_next, fresh * (sigma - sigma_next).abs().sqrt())
            return fresh
        middle, increment = self.reached
        self.reached = None
        increment = increment + fresh * (middle - sigma_next).abs().sqrt()
        return increment / (sigma - sigma_next).abs().sqrt()


def class_of(name):
    if name != "DPMSolverSDE":
        return getattr(diffusers, name + "Scheduler")
    if "torchsde" not in sys.modules and importlib.util.find_spec("torchsde") is None:
        sys.modules["torchsde"] = types.ModuleType("torchsde")  # its noise is replaced anyway
    module = importlib.import_module("diffusers.schedulers.scheduling_dpmsolver_sde")
    return module.DPMSolverSDEScheduler


def scheduler_of(job):
    short, overrides = NAMES[job["name"]]
    return class_of(short).from_config(job["config"], **overrides)


def line_of(job):
    if job.get("saved"):
        job = {**job, "config": scheduler_of(job).to_json_string()}
    return json.dumps(job) + "\n"


def diffusers_sampling(job):
    """As the pipelines call it: timesteps, scales and the latents before and after each call."""
    short = NAMES[job["name"]][0]
    dtype = getattr(torch, job.get("dtype", "float32"))
    scheduler = scheduler_of(job)
    scheduler.set_timesteps(job["steps"])
    generator = torch.Generator().manual_seed(job["seed"])
    image = torch.randn(SHAPE, generator=generator, dtype=dtype) * 0.7 if job.get("from_image") else None
    noise = torch.randn(SHAPE, generator=generator, dtype=dtype)
    first = job.get("start_index", 0) * scheduler.order
    timesteps = scheduler.timesteps[first:]
    if hasattr(scheduler, "set_begin_index"):
        # Without it a first timestep that comes twice is skipped, and the last step fails.
        scheduler.set_begin_index(first)
    if image is None:
        latents = noise * scheduler.init_noise_sigma
    else:
        latents = scheduler.add_noise(image, noise, timesteps[:1])
    if short == "DPMSolverSDE":
        scheduler.noise_sampler = BrownianNoise(generator, dtype)
    accepted = type(scheduler).step.__code__.co_varnames
    more = {k: v for k, v in {"generator": generator, "eta": 0.0}.items() if k in accepted}
    trajectory, scales = [latents], []
    for t in timesteps:
        model_input = scheduler.scale_model_input(latents, t)
        scales.append(float((model_input.float().abs().sum() / latents.float().abs().sum())))
        answer = made_up_model(model_input, float(t))
        latents = scheduler.step(answer, t, latents, **more).prev_sample
        trajectory.append(latents)
    return {
        "timesteps": [float(t) for t in timesteps],
        "input_scales": scales,
        "latents": torch.stack(trajectory).float().numpy(),
    }


@functools.lru_cache(maxsize=None)
def our_sampling(name):
    """Our answers to every job of one name, by group."""
    groups = {group: jobs for (each, group), jobs in JOBS.items() if each == name}
    lines = "".join(line_of(job) for jobs in groups.values() for job in jobs)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "latents.bin"
        done = subprocess.run([PROBE, file], input=lines, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        values = np.fromfile(file, dtype=np.float32)
    answers = iter(done.stdout.splitlines())
    found, place = {}, 0
    for group, jobs in groups.items():
        found[group] = [json.loads(next(answers)) for _ in jobs]
        for answer in found[group]:
            if "error" in answer:
                continue
            size = (len(answer["timesteps"]) + 1) * int(np.prod(SHAPE))
            answer["latents"] = values[place : place + size].reshape([-1, *SHAPE])
            place += size
    assert place == len(values)
    return found


def difference(job, ours, theirs, tolerance=None):
    """What is wrong with our answer, or None."""
    if "error" in ours:
        return "only ours refuses: " + ours["error"]
    if len(ours["timesteps"]) != len(theirs["timesteps"]):
        return f"{len(ours['timesteps'])} calls, not {len(theirs['timesteps'])}"
    timesteps = np.array(ours["timesteps"], dtype=float)  # null: not a number
    if not np.allclose(timesteps, theirs["timesteps"], rtol=1e-6, atol=1e-6, equal_nan=True):
        return f"timesteps {ours['timesteps']}, not {theirs['timesteps']}"
    if not np.allclose(ours["latents"][0], theirs["latents"][0], rtol=1e-6, equal_nan=True):
        return "the latents before the first call are others"
    is_half = "dtype" in job
    tolerance = tolerance or TOLERANCES.get(NAMES[job["name"]][0], TOLERANCE)
    if is_half:
        tolerance = HALF_TOLERANCE[job["dtype"]]
    for step, (mine, his) in enumerate(zip(ours["latents"], theirs["latents"])):
        if not (np.isfinite(mine) == np.isfinite(his)).all():
            return f"after {step} calls: finite where diffusers is not, or the reverse"
        if not np.isfinite(his).all():
            return None  # neither has anything to say from here on
        off = np.abs(mine - his).max() / his.std()
        if off > tolerance:
            return f"after {step} of {len(theirs['timesteps'])} calls: off by {off:.2g} standard deviations"
    scales = np.array(theirs["input_scales"])
    if np.isfinite(scales).all() and not np.allclose(
        ours["input_scales"], scales, rtol=1e-2 if is_half else 1e-5
    ):
        return f"input scales {ours['input_scales']}, not {theirs['input_scales']}"
    return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "group"), [key for key, jobs in JOBS.items() if jobs])
def test_trajectories_are_those_of_diffusers(name, group):
    if not PROBE.exists():
        pytest.fail(f"{PROBE} is not built; build it or set SSD1B_BIN_DIR")
    diffusers.utils.logging.set_verbosity_error()
    wrong, compared = [], 0
    for job, answer in zip(JOBS[name, group], our_sampling(name)[group]):
        settings = {k: v for k, v in job["config"].items() if STABLE_DIFFUSION.get(k, ()) != v and k[0] != "_"}
        said = f"{job['steps']} steps, {settings}, start {job.get('start_index', 0)}: "
        try:
            theirs = diffusers_sampling(job)
        except REFUSALS as error:
            if "error" not in answer:
                wrong.append(said + f"only diffusers refuses: {error!r}")
            continue
        compared += 1
        what = difference(job, answer, theirs)
        if what:
            wrong.append(said + what)
    assert not wrong, f"{len(wrong)} of {len(JOBS[name, group])}:\n" + "\n".join(wrong[:12])
    assert compared, "no job of this group was sampled"


class RoundedLogarithms:
    """NumPy, but for logarithms of tensors: these are rounded correctly."""

    def __getattr__(self, name):
        return getattr(np, name)

    def log(self, value):
        if not isinstance(value, torch.Tensor):
            return np.log(value)
        return torch.tensor(np.float32(np.log(np.float64(value.item()))))


@pytest.mark.filterwarnings("ignore")
def test_deis_differs_by_numpys_logarithm_alone(monkeypatch):
    module = importlib.import_module("diffusers.schedulers.scheduling_deis_multistep")
    monkeypatch.setattr(module, "np", RoundedLogarithms())
    for group in ["counts", "solvers", "random"]:
        for job, answer in zip(JOBS["deis", group], our_sampling("deis")[group]):
            if "error" not in answer:
                assert difference(job, answer, diffusers_sampling(job), TOLERANCE) is None, job
