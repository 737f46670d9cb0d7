"""What test_schedulers.py samples: names, folders' settings and numbers of steps, by name and group."""

import itertools
import random

SHAPE = [1, 4, 4, 4]
COUNTS = [1, 2, 3, 4, 7, 20, 25, 30, 50]
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
CLIPPING = ["clip_sample_range", "dynamic_thresholding_ratio", "sample_max_value"]
NULLS = [
    "clip_sample", "set_alpha_to_one", "lower_order_final", "predict_x0", "thresholding", "rescale_betas_zero_snr",
    "euler_at_final", "skip_prk_steps", "use_lu_lambdas", "use_flow_sigmas", "use_dynamic_shifting",
    "variance_type", "disable_corrector", "steps_offset", "final_sigmas_type", "interpolation_type",
    "timestep_type", "timestep_spacing", "algorithm_type", "solver_type", "solver_order", "timestep_scaling",
    "lambda_min_clipped", "sigma_min", "sigma_max", "use_karras_sigmas", "use_beta_sigmas", *CLIPPING,
]  # fmt: skip
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
        *({"num_train_timesteps": n} for n in [400, 40]),
        {"sigma_min": 0.05, "sigma_max": 11.0, "use_karras_sigmas": True},
        {"sigma_min": 0.05, "sigma_max": 11.0, "use_exponential_sigmas": True},
        {"sigma_min": None, "sigma_max": None, "trained_betas": None},
        {"interpolation_type": "log_linear"},
        {"interpolation_type": "log_linear", "use_karras_sigmas": True},
        {"timestep_type": "continuous", "prediction_type": "v_prediction"},
        {"timestep_type": "continuous", "prediction_type": "v_prediction", "interpolation_type": "log_linear"},
        {"timestep_type": "continuous", "prediction_type": "v_prediction", "interpolation_type": "log_linear",
         "use_karras_sigmas": True},
        {"timestep_type": "continuous", "prediction_type": "v_prediction", "interpolation_type": "log_linear",
         "timestep_spacing": "trailing"},
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


def null_jobs(name):
    """null is None to diffusers, not the class's default. Of a folder of a class that looks at none of
    these: what its own class refuses is refused."""
    trained = {"trained_betas": [0.001 + 0.0001 * i for i in range(100)], "num_train_timesteps": 100}
    options = [
        {}, *({key: None} for key in NULLS), *({key: None, "clip_sample": True} for key in CLIPPING),
        *({key: None, "thresholding": True} for key in CLIPPING), spaced("trailing", None),
        {**trained, "beta_start": None, "beta_end": None, "beta_schedule": None},
        {"beta_schedule": "squaredcos_cap_v2", "beta_start": None, "beta_end": None},
        {"rescale_betas_zero_snr": None, "_use_default_values": ["steps_offset"], "steps_offset": None},
        {"sigma_min": None, "sigma_max": None, "use_exponential_sigmas": True},
    ]  # fmt: skip
    return [{**job(name, 6, option), "class": "TCDScheduler"} for option in options]


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
    return [job(name, n, dtype=d) for d in ["float16", "bfloat16"] for n in [6]]


GROUPS = {
    "counts": counts_jobs,
    "spacings": spacing_jobs,
    "predictions": prediction_jobs,
    "defaults": defaults_jobs,
    "saved": saved_jobs,
    "options": option_jobs,
    "nulls": null_jobs,
    "index": index_jobs,
    "solvers": solver_jobs,
    "images": image_jobs,
    "halves": half_jobs,
    "random": random_jobs,
}
JOBS = {(name, group): make(name) for name in NAMES for group, make in GROUPS.items()}
