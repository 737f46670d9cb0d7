"""Promises about ends: of the server, and of a worker that hangs."""

import asyncio
import random
import threading
import time

from load import Load, Outcome, Pictures
from report import Report
from servers import ready_server, wait_for


def sigterm(runs=200, connections=16):
    """SIGTERM at any moment under load: whatever was accepted is answered, and the server ends with 0."""
    report = Report()
    total = Outcome()
    with ready_server() as server:
        pictures = Pictures(server, seeds=64)
    slowest_s = 0.0
    for _ in range(runs):
        outcome, end_s = one_end(report, pictures, connections)
        total.add(outcome)
        slowest_s = max(slowest_s, end_s)
    report.require_whole(total)
    report.require(set(total.refused) <= {"shutting_down"}, f"503 shutting_down, got {total.refused}")
    report.figures = total.figures()
    report.add("never_taken", total.faults["never_taken"])
    report.add("slowest_end_s", round(slowest_s, 2))
    return report


def one_end(report, pictures, connections):
    with ready_server(SSD1B_FAKE_STEP_TIME="1ms") as server:
        load = Load(server.port, pictures, connections, seconds=60)
        timer = threading.Timer(random.uniform(0.05, 0.5), server.terminate)
        timer.start()
        outcome = asyncio.run(load.run())
        timer.join()
        began = time.monotonic()
        status = server.end()
        report.require(status == 0, f"the server ends with 0, got {status}")
        return outcome, time.monotonic() - began


def hang(limit_s=30.0, slack_s=1.0):
    """A worker that hangs in the middle of a picture is found and replaced, and the picture made."""
    report = Report()
    with ready_server(SSD1B_FAKE_STATE_DIR="/tmp") as server:
        seed = time.time_ns() % 2**32  # `_once` is remembered in the folder
        began = time.monotonic()
        reply = {}
        asks = threading.Thread(target=lambda: reply.update(it=server.generate("hang_once@2", seed=seed)))
        asks.start()
        wait_for(lambda: server.metric("ssd1b_worker_restarts_total") == 1, seconds=limit_s + 10)
        found_s = time.monotonic() - began
        asks.join()
        report.require(reply["it"].status_code == 200, f"a picture, got {reply['it'].text[:200]}")
    report.add("found_s", round(found_s, 2))
    report.require(limit_s - 1 <= found_s <= limit_s + slack_s, f"found after {limit_s} s, got {found_s:.2f}")
    return report
