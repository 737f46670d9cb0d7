"""How OpenMP's threads wait: every program that computes chooses it before libgomp reads it."""

import re
import subprocess

import pytest
from running_server import BIN, wait_for

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


@pytest.fixture(autouse=True)
def no_choice_of_the_machine(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_DISPLAY_ENV", "verbose")  # libgomp says what it has read


def spin_count(text):
    found = re.search(r"GOMP_SPINCOUNT = '(\d+)'", text)
    return found and int(found.group(1))


@pytest.mark.parametrize("program", ["worker", "generate", "bench"])
def test_threads_sleep_soon(program):
    done = subprocess.run([BIN / f"ssd1b-{program}", "--version"], capture_output=True, text=True, check=True)

    assert spin_count(done.stderr) == 10000
    assert done.stdout.startswith(f"ssd1b-{program} ")


@pytest.mark.parametrize("name, value, expected", [("OMP_WAIT_POLICY", "PASSIVE", 0), ("GOMP_SPINCOUNT", "77", 77)])
def test_what_the_user_sets_counts(monkeypatch, name, value, expected):
    monkeypatch.setenv(name, value)

    done = subprocess.run([BIN / "ssd1b-worker", "--version"], capture_output=True, text=True, check=True)

    assert spin_count(done.stderr) == expected


def test_the_servers_worker_runs_with_it(start):
    server = start("--device", "cpu", worker=BIN / "ssd1b-worker", ready=False)

    wait_for(lambda: spin_count(server.text_of_log()) is not None, seconds=60)

    assert spin_count(server.text_of_log()) == 10000
