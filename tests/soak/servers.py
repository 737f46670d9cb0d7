"""Servers with the fake worker, for scenarios."""

import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from running_server import RunningServer, wait_for


@contextlib.contextmanager
def ready_server(*arguments, log_level="warn", prefix=(), port=0, **variables):
    # A log line a request would be gigabytes; the pipe's reader would cost the client's time.
    options = ("--log-level", log_level, "--device", "cpu", *arguments)
    with RunningServer(*options, prefix=prefix, port=port, **variables) as server:
        server.wait_until_ready()
        yield server


def check_books(server, report):
    """Accepted pictures have all ended, each once."""
    wait_for(lambda: server.metric("ssd1b_running_pictures") == 0)
    accepted = server.metric("ssd1b_pictures_accepted_total")
    ended = server.metric("ssd1b_pictures_ended_total")
    report.require(accepted == ended, f"{accepted} pictures accepted, {ended} ended")
