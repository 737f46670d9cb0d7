"""Starts ssd1b-server on any free port, mostly with the fake worker (tests/support/README.md)."""

import pytest

from echo_server import EchoServer
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


@pytest.fixture
def start_echo(tmp_path):
    """Starts servers of tests/http/echo_server.cpp; each must still be well at the end of the test, and
    end by itself."""
    servers = []

    def start_one(*options, **limits):
        servers.append(EchoServer(tmp_path / f"log-{len(servers)}", *options, **limits))
        return servers[-1]

    yield start_one
    for server in servers:
        alive = server.process.poll() is None
        status = server.end() if alive else server.process.returncode
        assert alive and status == 0, (status, server.log.read_text()[-2000:])
