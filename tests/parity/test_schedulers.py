"""Our schedulers against diffusers, live: whole trajectories of a made-up model, step by step.

`ssd1b-scheduler-probe` (tests/schedulers) samples every job of one name in one process; it is
found by programs.py. Noise comes from CPU generators of equal seed.
"""

import functools
import importlib
import itertools
import json
import random
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

PROBE = BIN_DIR / "ssd1b-scheduler-probe"
SHAPE = [1, 4, 4, 4]
COUNTS = [1, 2, 3, 4, 7, 20, 25, 30, 50]
# Of the standard deviation of diffusers' latents, at every step. Most are equal bit by bit. What
# differs is NumPy's own float32 logarithm, up to 4 units in the last place beside libm's: it moves
# fractional timesteps by one unit (6e-5), and DEIS divides by differences of such logarithms (up to
# 1.1e-4 seen with 50 beta sigmas, which lie closest; the last test shows that nothing else is in it).
# LMS multiplies by up to 1000 what it has when its last step extrapolates to 0 from steps close by.
TOLERANCE = 2e-5
TOLERANCES = {"DEISMultistep": 3e-4, "LMSDiscrete": 1e-4}
HALF_TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2}  # a few units in the last place

KARRAS = {"use_karras_sigmas": True}
PLUS, SDE = {"algorithm_type": "dpmsolver++"}, {"algorithm_type": "sde-dpmsolver++"}
NAMES = {
    "euler": ("EulerDiscrete", {}),
    "euler_karras": ("EulerDiscrete", KARRAS),
    "euler_a": ("EulerAncestralDiscrete", {}),
    "heun": ("HeunDiscrete", {}),
    "heun_karras": ("HeunDiscrete", KARRAS),
    "ddim": ("DDIM", {}),
    "ddpm": ("DDPM", {}),
    "pndm": ("PNDM", {}),
    "lms": ("LMSDiscrete", {}),
    "lms_karras": ("LMSDiscrete", KARRAS),
    "dpmpp_2m": ("DPMSolverMultistep", PLUS),
    "dpmpp_2m_karras": ("DPMSolverMultistep", {**PLUS, **KARRAS}),
    "dpmpp_2m_sde": ("DPMSolverMultistep", SDE),
    "dpmpp_2m_sde_karras": ("DPMSolverMultistep", {**SDE, **KARRAS}),
    "dpm_2m": ("DPMSolverMultistep", {"algorithm_type": "dpmsolver"}),
    "dpm_2m_sde": ("DPMSolverMultistep", {"algorithm_type": "sde-dpmsolver"}),
    "dpmpp_2s": ("DPMSolverSinglestep", {}),
    "dpmpp_2s_karras": ("DPMSolverSinglestep", KARRAS),
    "dpmpp_sde": ("DPMSolverSDE", {}),
    "dpmpp_sde_karras": ("DPMSolverSDE", KARRAS),
    "dpm2": ("KDPM2Discrete", {}),
    "dpm2_karras": ("KDPM2Discrete", KARRAS),
    "dpm2_a": ("KDPM2AncestralDiscrete", {}),
    "dpm2_a_karras": ("KDPM2AncestralDiscrete", KARRAS),
    "unipc": ("UniPCMultistep", {}),
    "unipc_karras": ("UniPCMultistep", KARRAS),
    "deis": ("DEISMultistep", {}),
    "lcm": ("LCM", {}),
    "tcd": ("TCD", {}),
}
STABLE_DIFFUSION = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "timestep_spacing": "leading",
    "steps_offset": 1,
    "skip_prk_steps": True,
    "set_alpha_to_one": False,
    "clip_sample": False,
}
# What a folder must say for diffusers' class to take a name at all.
NEEDED = {name: {"final_sigmas_type": "sigma_min"} for name in ["dpm_2m", "dpm_2m_sde"]}
SPACINGS = [("leading", 0), ("leading", 1), ("trailing", 0), ("linspace", 0)]
BETAS = ["linear", "scaled_linear", "squaredcos_cap_v2"]
PREDICTIONS = ["epsilon", "v_prediction", "sample"]
# UnboundLocalError: of sde-dpmsolver in the third order.
REFUSALS = (ValueError, IndexError, NotImplementedError, TypeError, RuntimeError, UnboundLocalError)
SAVED_BY_OTHERS = [
    ("EulerDiscreteScheduler", {"interpolation_type": "log_linear", "sigma_max": 9.0}),
    ("DDPMScheduler", {"variance_type": "fixed_large", "clip_sample": True}),
    ("PNDMScheduler", {"skip_prk_steps": False, "set_alpha_to_one": True}),
    ("LCMScheduler", {"original_inference_steps": 25, "timestep_scaling": 7.0, "steps_offset": 0}),
    ("DEISMultistepScheduler", {"solver_type": "logrho", "solver_order": 3, "lower_order_final": False}),
    ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True, "lambda_min_clipped": -5.1}),
    ("UniPCMultistepScheduler", {"solver_type": "bh1", "predict_x0": False, "solver_order": 3}),
    ("DPMSolverSDEScheduler", {"noise_sampler_seed": 3, "prediction_type": "v_prediction"}),
    ("SASolverScheduler", {"predictor_order": 2, "corrector_order": 2, "tau_func": None}),
    ("EDMEulerScheduler", {"sigma_min": 0.002, "sigma_max": 80.0, "sigma_data": 0.5, "rho": 7.0}),
    ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0, "use_dynamic_shifting": False}),
    ("NoScheduler", {"invented": [1, {"two": None}], "timestep_spacing": "trailing"}),
]
KINDS = [None, "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"]
SOLVERS = ("DPMSolver", "UniPC", "DEIS")


def job(name, steps, config=None, **more):
    """A folder of EulerDiscreteScheduler that is asked for another one."""
    config = {**STABLE_DIFFUSION, **NEEDED.get(name, {}), **(config or {})}
    return {"name": name, "class": "EulerDiscreteScheduler", "steps": steps, "config": config,
            "seed": 7 + steps, "shape": SHAPE, **more}  # fmt: skip


def own_class(name):
    return NAMES[name][0] + "Scheduler"


def spaced(spacing, offset):
    return {"timestep_spacing": spacing, "steps_offset": offset}


def kind_of(key):
    return {key: True} if key else {}


def counts_jobs(name):
    return [job(name, steps) for steps in COUNTS]


def spacing_jobs(name):
    jobs = [job(name, n, spaced(*s)) for s in SPACINGS for n in [1, 7, 20]]
    return jobs + [job(name, 9, {**spaced(*s), "beta_schedule": b}) for s in SPACINGS for b in BETAS]


def prediction_jobs(name):
    combinations = itertools.product(PREDICTIONS, KINDS, [2, 12])
    return [job(name, n, {"prediction_type": p, **kind_of(k)}) for p, k, n in combinations]


def random_jobs(name):
    draw = random.Random(name)
    jobs = []
    for _ in range(12):
        config = {
            **spaced(*draw.choice(SPACINGS)),
            "beta_schedule": draw.choice(BETAS),
            "prediction_type": draw.choice(PREDICTIONS),
            **kind_of(draw.choice(KINDS)),
            "final_sigmas_type": draw.choice(["zero", "sigma_min"]),
            "set_alpha_to_one": draw.choice([True, False]),
            "rescale_betas_zero_snr": draw.choice([True, False, False]),
        }
        jobs.append(job(name, draw.choice(COUNTS), config))
    return jobs


def defaults_jobs(name):
    """The class's own defaults: a folder that says nothing."""
    return [{**job(name, n, {}), "class": own_class(name), "config": NEEDED.get(name, {})} for n in [4, 20]]


def saved_jobs(name):
    """The file as diffusers saves it, -Infinity and all."""
    return [{**job(name, 5), "class": own_class(name), "saved": True}]


def option_jobs(name):
    """Settings that few classes have; the others must not look at them."""
    options = [
        {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "timestep_spacing": "trailing"},
        {"thresholding": True, "dynamic_thresholding_ratio": 0.9, "sample_max_value": 1.5},
        {"clip_sample": True, "clip_sample_range": 0.8},
        {"trained_betas": [0.001 + 0.0001 * i for i in range(100)], "num_train_timesteps": 100},
        {"num_train_timesteps": 400},
        {"sigma_min": 0.05, "sigma_max": 11.0, "use_karras_sigmas": True},
        {"sigma_min": 0.05, "sigma_max": 11.0, "use_exponential_sigmas": True},
        {"sigma_min": None, "sigma_max": None, "trained_betas": None},
        {"interpolation_type": "log_linear"},
        {"interpolation_type": "log_linear", "use_karras_sigmas": True},
        {"timestep_type": "continuous", "prediction_type": "v_prediction"},
        {"final_sigmas_type": "sigma_min"},
        {"set_alpha_to_one": True},
        {"skip_prk_steps": False},
        {"original_inference_steps": 25, "timestep_scaling": 7.0},
        *({"use_lu_lambdas": True, **kind_of(k)} for k in KINDS),
        {"use_beta_sigmas": True, "use_exponential_sigmas": True},
        {"lambda_min_clipped": -2.0},
        {"euler_at_final": True, "final_sigmas_type": "sigma_min"},
        {"_use_default_values": ["steps_offset", "beta_end"]},
        {"_use_default_values": ["algorithm_type", "variance_type"], "algorithm_type": "none",
         "variance_type": "learned"},
        *({"variance_type": v} for v in ["fixed_small", "fixed_small_log", "fixed_large", "fixed"]),
        *({"algorithm_type": a, "final_sigmas_type": "sigma_min", "solver_order": o}
          for a in ["dpmsolver++", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver"] for o in [1, 2, 3]
          if (a, o) != ("sde-dpmsolver", 3)),
        # Where they are looked at, they make NumPy's numbers complex.
        *({"sigma_min": low, "sigma_max": high}
          for low, high in [(0, 0), (-1, -2.5)] if "karras" not in name),
        {"sigma_min": 0.05, "sigma_max": 11.0, "use_beta_sigmas": True},
        {"sigma_min": 0, "use_exponential_sigmas": True},
        *({"steps_offset": o} for o in [-1, -20, 30]),
        {"use_dynamic_shifting": True},
        {"flow_shift": 3.0, "time_shift_type": "linear", "shift_terminal": None, "solver_p": None},
        {"clip_sample": True, "clip_sample_range": -0.5},
        {"thresholding": True, "sample_max_value": 0.5},
        {"timestep_scaling": -3.0},
        *({"beta_schedule": b} for b in ["exp", "laplace", "sigmoid"]),
    ]
    # Of a folder of the class itself: one that has a setting which its own class refuses is refused.
    return [{**job(name, 6, option), "class": own_class(name)} for option in options]


def index_jobs(name):
    """model_index.json names the class, another one saved the settings."""
    return [{**job(name, n, {"_class_name": saved_by, **settings}), "class": own_class(name)}
            for saved_by, settings in SAVED_BY_OTHERS for n in [5, 20]]  # fmt: skip


def solver_jobs(name):
    if not NAMES[name][0].startswith(SOLVERS) or "dpmpp_sde" in name or "karras" in name:
        return []
    jobs = []
    types_of = ["bh1", "bh2"] if "unipc" in name else ["midpoint", "heun"]
    # In its few steps diffusers gets away with a third order of sde-dpmsolver.
    orders = [1, 2] if name == "dpm_2m_sde" else [1, 2, 3]
    combinations = itertools.product(orders, types_of, [True, False], ["zero", "sigma_min"])
    for order, solver, lower, final in combinations:
        config = {"solver_order": order, "solver_type": solver, "lower_order_final": lower,
                  "final_sigmas_type": final}  # fmt: skip
        jobs += [job(name, n, config) for n in [2, 3, 7, 15]]
    if "unipc" in name:
        jobs += [job(name, 10, {"predict_x0": False, "prediction_type": p, "final_sigmas_type": "sigma_min"})
                 for p in PREDICTIONS]  # fmt: skip
        jobs.append(job(name, 10, {"disable_corrector": [0, 1, 4]}))
    if "2s" in name:
        jobs += [job(name, n, {**SDE, "solver_order": o}) for n in [5, 6, 20] for o in [1, 2, 3]]
    return jobs


def image_jobs(name):
    starts = [(4, 1), (10, 4), (20, 3), (20, 19), (30, 11)]
    jobs = [job(name, n, start_index=i, from_image=True) for n, i in starts]
    return jobs + [job(name, 10, spaced("trailing", 0), start_index=0, from_image=True)]


def half_jobs(name):
    return [job(name, n, dtype=d) for d in HALF_TOLERANCE for n in [6]]


GROUPS = {
    "counts": counts_jobs,
    "spacings": spacing_jobs,
    "predictions": prediction_jobs,
    "defaults": defaults_jobs,
    "saved": saved_jobs,
    "options": option_jobs,
    "index": index_jobs,
    "solvers": solver_jobs,
    "images": image_jobs,
    "halves": half_jobs,
    "random": random_jobs,
}
JOBS = {(name, group): make(name) for name in NAMES for group, make in GROUPS.items()}


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
