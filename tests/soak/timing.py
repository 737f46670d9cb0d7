"""Promises about time: overload, slow clients, what the server itself adds."""

import asyncio
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time

from load import Load, Pictures, percentile_ms, run_load
from report import Report, cpu_seconds
from servers import check_books, ready_server, wait_for


def overload(seconds=60.0, factor=10, refusal_ms=10.0, goodput_share=0.98, step_ms=5):
    """Ten times as many requests as the worker can serve: the rest is refused at once, and as many are
    served as without the rest."""
    report = Report()
    variables = {"SSD1B_FAKE_MAX_PICTURES": 1, "SSD1B_FAKE_STEP_TIME": f"{step_ms}ms"}
    with ready_server("--queue-size", "16", **variables) as server:
        pictures = Pictures(server, seeds=64)
        calm = run_load(server.port, pictures, connections=8, seconds=seconds)
        calm_per_s = calm.right / calm.seconds
        flood = run_load(server.port, pictures, connections=256, seconds=seconds,
                         rate_per_s=factor * calm_per_s)
        report.require_whole(flood)
        check_books(server, report)
    share = flood.right / flood.seconds / calm_per_s
    slowest = percentile_ms(flood.refusal_times_s, 0.99)
    report.figures = flood.figures()
    report.add("calm_per_s", round(calm_per_s, 1))
    report.add("goodput_share", round(share, 3))
    report.add("refusal_p50_ms", percentile_ms(flood.refusal_times_s, 0.5))
    report.add("refusal_p99_ms", slowest)
    report.require(share >= goodput_share, f"goodput of {goodput_share}, got {share:.3f}")
    report.require(slowest <= refusal_ms, f"refusals within {refusal_ms} ms, got {slowest}")
    return report


class Tricklers:
    """Connections that send a head byte by byte, each anew once it is cut off. A thread of its own."""

    def __init__(self, port, count):
        self.port, self.count = port, count
        self.cut_off = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    async def _run(self):
        await asyncio.gather(*(self._trickle() for _ in range(self.count)))

    async def _trickle(self):
        while not self.stop.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            with contextlib.suppress(OSError):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
                while not self.stop.is_set() and not await self._is_answered(reader):
                    writer.write(b"a")
            writer.close()


    async def _is_answered(self, reader):
        """Waits about half a second for the refusal that cuts the connection off."""
        try:
            await asyncio.wait_for(reader.read(1), 0.4 + 0.2 * random.random())
        except asyncio.TimeoutError:
            return False
        self.cut_off += 1
        return True


def slow_heads(seconds=60.0, connections=256, rate_per_s=50.0, more_ms=50.0):
    """Hundreds of clients that never finish their heads: the others notice nothing."""
    report = Report()
    with ready_server() as server:
        pictures = Pictures(server, seeds=64)
        options = {"connections": 16, "seconds": seconds, "rate_per_s": rate_per_s}
        calm = run_load(server.port, pictures, **options)
        with Tricklers(server.port, connections) as slow:
            time.sleep(0.5)
            attacked = run_load(server.port, pictures, **options)
        report.require_whole(attacked)
        check_books(server, report)
    before, under = (percentile_ms(each.times_s, 0.99) for each in (calm, attacked))
    report.figures = attacked.figures()
    report.add("calm_p99_ms", before)
    report.add("slow_clients", connections)
    report.add("cut_off", slow.cut_off)
    report.require(under <= before + more_ms, f"p99 at most {more_ms} ms more: {before} to {under} ms")
    return report


def descriptors(limit=64, clients=200, seconds=2.0, cpu_share=0.05, recovery_s=1.0):
    """More clients than the system gives the server descriptors: it waits without using the processor,
    and goes on as soon as they leave."""
    report = Report()
    with ready_server(prefix=("prlimit", f"--nofile={limit}:{limit}")) as server:
        crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(clients)]
        time.sleep(0.5)
        began, cpu = time.monotonic(), cpu_seconds(server.process.pid)
        time.sleep(seconds)
        share = (cpu_seconds(server.process.pid) - cpu) / (time.monotonic() - began)
        for each in crowd:
            each.close()
        began = time.monotonic()
        wait_for(lambda: is_served(server), seconds=30)
        recovered = time.monotonic() - began
    report.add("cpu_share", round(share, 4))
    report.add("recovered_s", round(recovered, 3))
    report.require(share < cpu_share, f"less than {cpu_share} of a core, got {share:.3f}")
    report.require(recovered <= recovery_s, f"served again within {recovery_s} s, got {recovered:.2f}")
    return report


def is_served(server):
    try:
        return server.generate().status_code == 200
    except OSError:
        return False


SPIN = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while True: pass
"""


@contextlib.contextmanager
def cores_awake(is_wanted):
    """Keeps the cores from sleeping with loops that give way to everything else: a virtual machine's
    core takes long to wake, and the time is its host's."""
    loops = [subprocess.Popen([sys.executable, "-c", SPIN])
             for _ in (os.sched_getaffinity(0) if is_wanted else ())]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def overhead(seconds=60.0, connections=64, rate_per_s=200.0, p50_ms=0.3, p99_ms=2.0, awake=0):
    """What the server adds to the engine's time and the image file's, as it says itself: from a request's
    first byte to its reply's last (access log), less the file's making (the reply's timings). The fake
    engine takes no time of its own. `awake=1`: on cores that do not sleep in between."""
    report = Report()
    with cores_awake(awake), ready_server("--log-format", "json", log_level="info") as server:
        pictures = Pictures(server, seeds=64, response_format="b64_json")
        load = TimedLoad(server.port, pictures, connections, seconds=seconds, rate_per_s=rate_per_s)
        outcome = asyncio.run(load.run())
        report.require(not outcome.faults, f"every reply is a picture, got {dict(outcome.faults)}")
        # The log's lines leave the server a moment after the replies.
        wait_for(lambda: load.encode_ms.keys() <= times_of(server.log).keys())
        in_server_ms = times_of(server.log)
    own_s = sorted((in_server_ms[number] - encode_ms) / 1000
                   for number, encode_ms in load.encode_ms.items())
    report.figures = outcome.figures()
    p50, p99 = percentile_ms(own_s, 0.5), percentile_ms(own_s, 0.99)
    report.add("own_p50_ms", p50)
    report.add("own_p99_ms", p99)
    report.require(p50 <= p50_ms, f"p50 of at most {p50_ms} ms, got {p50}")
    report.require(p99 <= p99_ms, f"p99 of at most {p99_ms} ms, got {p99}")
    return report


class TimedLoad(Load):
    """Replies are JSON, which says how long their files took."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.encode_ms = {}

    def judge(self, client, head, body):
        if b" 200 " in head[:16]:
            reply = json.loads(body)
            self.encode_ms[client.number] = reply["timings_ms"]["encode"]
            body = json.dumps(reply["images"]).encode()
        super().judge(client, head, body)


def times_of(log):
    """Milliseconds by the request's number, from the lines of the access log."""
    times = {}
    for line in log.splitlines():
        record = json.loads(line)
        if str(record.get("request_id", "")).isdecimal() and "ms" in record:
            times[int(record["request_id"])] = record["ms"]
    return times
