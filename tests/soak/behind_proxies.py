"""Promises behind nginx and HAProxy; both must be installed (Debian: nginx-light, haproxy)."""

import asyncio
import http.client
import json
import socket
import threading
import time

from load import Load, Pictures, run_load
from proxy import PROXIES, free_port, proxy
from report import Report
from servers import ready_server, wait_for


def proxies(requests=2000, connections=16):
    """Keep-alive, pipelining, uploads, request ids, clients that leave: the same through a proxy."""
    report = Report()
    for name in PROXIES:
        with ready_server() as server, proxy(name, [server.port]) as port:
            pictures = Pictures(server, seeds=64)
            accepted = server.metric("ssd1b_connections_accepted_total")
            outcome = run_load(port, pictures, connections=connections, requests=requests)
            report.require_whole(outcome)
            taken = server.metric("ssd1b_connections_accepted_total") - accepted
            report.require(taken < requests / 10, f"{name} keeps connections, took {taken}")
            check_pipelining(report, name, port, pictures)
            check_uploads(report, name, port)
            check_client_that_leaves(report, name, port, server)
            report.add(name, {"right": outcome.right, "connections": taken})
    return report


def check_pipelining(report, name, port, pictures):
    """Requests sent at once are answered in order."""
    sent = [pictures.request(number) for number in range(8)]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"".join(request for request, _ in sent))
        received = connection.makefile("rb")
        for number, (_, seed) in enumerate(sent):
            received.readline()  # the status
            headers = http.client.parse_headers(received)
            is_right = received.read(int(headers["Content-Length"])) == pictures.expected[seed]
            is_its_own = headers["X-Request-Id"] == str(number)
            report.require(is_right and is_its_own, f"{name}: pipelined request {number} in order")


def check_uploads(report, name, port):
    """A body of the largest size arrives, one byte more is refused readably."""
    for size, code in ((256 * 1024, "invalid_value"), (256 * 1024 + 1, "body_too_large")):
        frame = json.dumps({"prompt": ""})
        body = json.dumps({"prompt": "a" * (size - len(frame))})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", "/generate-image", body, {"Content-Type": "application/json"})
        got = json.loads(connection.getresponse().read())["error"]["code"]
        report.require(got == code, f"{name}: {code} for a body of {size} bytes, got {got}")
        connection.close()


def check_client_that_leaves(report, name, port, server):
    """Its picture ends at the next step."""
    cancelled = server.metric("ssd1b_cancelled_total")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = json.dumps({"prompt": "delay=50ms", "steps": 100})
    connection.request("POST", "/generate-image", body, {"Content-Type": "application/json"})
    wait_for(lambda: server.metric("ssd1b_running_pictures") == 1)
    connection.close()
    began = time.monotonic()
    wait_for(lambda: server.metric("ssd1b_running_pictures") == 0)
    took = time.monotonic() - began
    report.require(server.metric("ssd1b_cancelled_total") == cancelled + 1, f"{name}: it is cancelled")
    report.require(took < 1, f"{name}: a client that leaves is noticed, took {took:.1f} s")


def rolling(swaps=50, connections=8, every_s=1.0):
    """Two servers behind a proxy are replaced in turns under load: no client notices."""
    report = Report()
    for name in PROXIES:
        ports = [free_port(), free_port()]
        with proxy(name, ports) as port, Pair(ports) as pair:
            pictures = Pictures(pair.servers[0], seeds=64)
            load = Load(port, pictures, connections)
            swapper = threading.Thread(target=swap, args=(pair, swaps, every_s, load))
            swapper.start()
            outcome = asyncio.run(load.run())
            swapper.join()
            report.require_whole(outcome)
            report.require(not outcome.refused, f"{name}: no client is refused, got {outcome.refused}")
            report.add(name, outcome.figures())
    return report


class Pair:
    """Two servers on fixed ports."""

    def __init__(self, ports):
        self.ports, self.servers, self.contexts = ports, [None, None], [None, None]

    def start(self, index):
        self.contexts[index] = ready_server(port=self.ports[index])
        self.servers[index] = self.contexts[index].__enter__()

    def replace(self, index):
        self.servers[index].terminate()
        status = self.servers[index].end()
        assert status == 0, status
        self.contexts[index].__exit__(None, None, None)
        self.start(index)

    def __enter__(self):
        for index in (0, 1):
            self.start(index)
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.kill()


def swap(pair, swaps, every_s, load):
    try:
        for i in range(swaps):
            time.sleep(every_s)
            pair.replace(i % 2)
    finally:
        load.is_over = True
