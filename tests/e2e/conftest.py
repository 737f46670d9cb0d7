"""Starts ssd1b-server on any free port, mostly with the fake worker (tests/support/README.md)."""

import pytest

from running_server import RunningServer


@pytest.fixture(scope="session")
def server():
    """A ready server with the fake worker that all tests of a session share."""
    with RunningServer() as running:
        running.wait_until_ready()
        yield running


@pytest.fixture
def start():
    """Starts servers with options and variables of a test's own; they end with the test."""
    started = []

    def start_one(*arguments, ready=True, **variables):
        running = RunningServer(*arguments, **variables)
        started.append(running)
        if ready:
            running.wait_until_ready()
        return running

    yield start_one
    for running in started:
        running.kill()
