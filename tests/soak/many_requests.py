"""Promises under many requests and dying workers, one function each: it takes its size as options, runs
a server with the fake worker, and returns a Report."""

import asyncio
import os
import signal
import threading
import time

from load import Load, Pictures, percentile_ms
from report import MIB, Report, resident_bytes, workers_of
from servers import check_books, ready_server, wait_for


class MemoryWatch:
    """Resident sizes of server and worker when so many replies have come."""

    def __init__(self, server):
        self.pids = {"server": server.process.pid, "worker": workers_of(server)[0]}
        self.replies = 0
        self.samples = {}

    def at(self, marks):
        self.marks = set(marks)
        return self

    def on_reply(self):
        self.replies += 1
        if self.replies in self.marks:
            self.samples[self.replies] = {
                name: resident_bytes(pid) for name, pid in self.pids.items()
            }


def replies(requests=1_000_000, connections=256, warm_up=50_000, window=100_000):
    """As many requests as the server can answer, each reply compared with the picture of its seed;
    meanwhile the memory of server and worker."""
    report = Report()
    with ready_server("--queue-size", str(2 * connections)) as server:
        pictures = Pictures(server)
        watch = MemoryWatch(server).at((warm_up, warm_up + window, requests))
        load = Load(server.port, pictures, connections, requests=requests)
        load.on_reply = watch.on_reply
        outcome = asyncio.run(load.run())
        report.require_whole(outcome)
        report.require(outcome.right == requests, "every request brings its picture")
        check_books(server, report)
        made = server.metric("ssd1b_pictures_total")
        report.require(made == requests + len(pictures.bodies), f"{made} pictures were made")
    report.figures = outcome.figures()
    add_memory(report, watch, warm_up, window, requests)
    return report


def add_memory(report, watch, warm_up, window, requests):
    for name in watch.pids:
        size = {at: sample[name] for at, sample in watch.samples.items()}
        bounds = [(warm_up + window, 1)] + ([(requests, 8)] if requests >= 1_000_000 else [])
        report.add(f"{name}_mib", round(size[warm_up] / MIB, 2))
        for at, limit_mib in bounds:
            growth = (size[at] - size[warm_up]) / MIB
            report.add(f"{name}_growth_mib_to_{at}", round(growth, 2))
            report.require(growth <= limit_mib, f"{name} grows by {growth:.2f} MiB until reply {at}")


def kills(kills=500, every_s=5.0, rate_per_s=40.0, connections=32, step_ms=1):
    """SIGKILL of the worker again and again under a steady load of pictures of some milliseconds."""
    report = Report()
    options = {"SSD1B_FAKE_STEP_TIME": f"{step_ms}ms"}
    with ready_server("--queue-size", "10000", **options) as server:
        pictures = Pictures(server, seeds=256)
        load = Load(server.port, pictures, connections, rate_per_s=rate_per_s,
                    seconds=(kills + 0.5) * every_s)
        killer = threading.Thread(target=kill_workers, args=(server, kills, every_s))
        killer.start()
        outcome = asyncio.run(load.run())
        killer.join()
        report.require_whole(outcome)
        check_books(server, report)
        restarts = server.metric("ssd1b_worker_restarts_total")
        report.figures = outcome.figures()
        report.add("kills", kills)
        report.add("restarts", restarts)
        report.add("remade", server.metric("ssd1b_pictures_remade_total"))
        report.add("slowest_ms", percentile_ms(outcome.times_s, 1.0))
        report.require(restarts == kills, f"{kills} kills, {restarts} restarts")
    return report


def kill_workers(server, kills, every_s):
    """Each kill hits a worker that is ready, so that every one of them counts."""
    began = time.monotonic()
    for i in range(kills):
        time.sleep(max(0.0, began + (i + 1) * every_s - time.monotonic()))
        wait_for(lambda: server.get("/readyz").status_code == 200, seconds=60)
        for pid in workers_of(server):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: server.metric("ssd1b_worker_restarts_total") > i, seconds=60)
