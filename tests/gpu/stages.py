"""The stages of tests/gpu/run, each in a process of its own."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
TARGETS = ["weights_test", "tokenizer_test", "layers_test", "unet_test", "vae_test", "text_encoder_test",
           "schedulers_test", "device_graph_test", "pipeline_test", "model_files_test", "ssd1b-probe",
           "ssd1b-engine-run", "ssd1b-kernel-run", "ssd1b_kernels", "ssd1b_cuda_graph"]


class Stage:
    """Where a stage works and what it has found; everything reported is on disk at once."""

    def __init__(self, name, device, size, work):
        self.name, self.device, self.size, self.work = name, device, size, work
        self.build = work / "build"
        self.bundle = work / "third_party"
        self.bin = Path(os.environ.get("SSD1B_BIN_DIR", self.build / "bin"))
        self.result = {}

    @property
    def is_cpu(self):
        return self.device == "cpu"

    @property
    def model(self):
        return self.work / "models" / self.size

    def report(self, **found):
        self.result |= found
        (self.work / f"{self.name}.json").write_text(json.dumps(self.result))
        print(found, flush=True)

    def tell(self, command):
        print("+", *map(str, command), flush=True)
        subprocess.run(list(map(str, command)), check=True)


def output_of(*command):
    if not shutil.which(command[0]):
        return "none"
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def environment(stage):
    import torch

    stage.report(
        python=sys.version.split()[0],
        torch=torch.__version__,
        cuda=torch.version.cuda,
        diffusers=bool(importlib.util.find_spec("diffusers")),
        nvcc=output_of("nvcc", "--version").splitlines()[-1:],
        cmake=output_of("cmake", "--version").splitlines()[:1],
        compiler=output_of("c++", "--version").splitlines()[:1],
        gpu=output_of("nvidia-smi", "--query-gpu=name,memory.total,driver_version,clocks.sm", "--format=csv,noheader"),
        cores=os.cpu_count(),
    )
    if not stage.is_cpu:
        props = torch.cuda.get_device_properties(stage.device)
        stage.report(capability=f"{props.major}.{props.minor}", cudnn=torch.backends.cudnn.version())


def build(stage):
    if "SSD1B_BIN_DIR" in os.environ:
        stage.report(skipped=f"SSD1B_BIN_DIR is {stage.bin}")
        return
    torch_folder = Path(importlib.util.find_spec("torch").origin).parent
    options = [f"-DSSD1B_TORCH_DIR={torch_folder}", "-DSSD1B_SERVICE=OFF"]
    if stage.bundle.exists():
        options += [f"-DSSD1B_BUNDLE={stage.bundle}", f"-DCMAKE_PROJECT_ssd1b-server_INCLUDE={HERE}/cmake/bundle.cmake"]
    stage.tell(["cmake", "-S", TOP, "-B", stage.build, "-G", "Ninja", *options])
    stage.tell(["ninja", "-C", stage.build, *TARGETS])


def unit_tests(stage):
    folder = stage.bin.parent
    done = subprocess.run(
        ["ctest", "--test-dir", folder, "-R", "^(" + "|".join(t[:-5] for t in TARGETS if t.endswith("_test")) + ")$",
         "--output-on-failure", "--no-tests=error"],
        capture_output=True, text=True, check=False,
    )
    print(done.stdout, done.stderr)
    stage.report(summary=[line for line in done.stdout.splitlines() if "tests passed" in line])
    done.check_returncode()


def provide_diffusers(stage):
    """diffusers from the bundle where the machine has none."""
    if importlib.util.find_spec("diffusers"):
        return
    unpacked = stage.work / "python"
    if not unpacked.exists():
        for wheel in (stage.bundle / "python").glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(unpacked)
    sys.path.append(str(unpacked))


def run(name, device, size, work):
    stage = Stage(name, device, size, work)
    if name in ("environment", "build", "unit_tests"):
        globals()[name](stage)
        return
    provide_diffusers(stage)
    sys.path.insert(0, str(TOP / "tests" / "parity"))
    import kernel_times
    import networks
    import pictures

    home = next(each for each in (networks, pictures, kernel_times) if hasattr(each, name))
    getattr(home, name)(stage)
