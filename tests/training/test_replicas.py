"""Processes that train together."""

import multiprocessing
import subprocess
import sys

import pytest
import replicas
import torch
from conftest import TRAINING

# Each of two processes has its own gradients, and one of them its flag up.
AVERAGE = """
import sys, torch, replicas
def body():
    mine = [torch.full((2, 3), 1.0 + replicas.rank()), torch.tensor([10.0 * replicas.rank()])]
    flags = [replicas.average(mine, False), replicas.average(mine, replicas.rank() == 1)]
    share = replicas.share(6)
    replicas.wait_for_all()
    sys.stdout.write(f"{replicas.rank()} {mine[0].unique().tolist()} {mine[1].tolist()} {flags} {share}\\n")
    sys.stdout.flush()
with replicas.replicas(2, body):
    body()
"""


def run(program):
    return subprocess.run([sys.executable, "-c", program], cwd=TRAINING, capture_output=True, text=True, timeout=120,
                          check=False)


def test_gradients_are_averaged_and_one_flag_is_everybodys():
    done = run(AVERAGE)

    assert sorted(done.stdout.splitlines()) == [f"{rank} [1.5] [5.0] [False, True] 3" for rank in (0, 1)], done.stderr


def test_a_process_that_dies_ends_all():
    done = run(AVERAGE.replace("    share =", "    1 / (1 - replicas.rank())\n    share ="))

    assert done.returncode not in (0, None) and "ZeroDivisionError" in done.stderr


def test_alone_nothing_is_exchanged():
    tensors = [torch.ones(3)]

    with replicas.replicas(1, pytest.fail):
        assert replicas.average(tensors, True) and not replicas.average(tensors, False)
        assert replicas.share(7) == 7 and replicas.rank() == 0
    assert tensors[0].tolist() == [1, 1, 1] and not multiprocessing.active_children()


def test_a_batch_that_cannot_be_divided_says_so():
    done = run(AVERAGE.replace("share(6)", "share(7)"))

    assert done.returncode == 1 and "a batch of 7 cannot be divided among 2 processes" in done.stderr
