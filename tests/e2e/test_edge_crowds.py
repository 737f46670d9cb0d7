"""The edge under many clients at once, over raw sockets."""

import contextlib
import os
import socket
import subprocess
import threading
import time

import pytest

from echo_server import HELLO, read_to_end, read_reply, status_of
from running_server import wait_for


def p99_ms(server, calm, count=200, request=HELLO):
    """Of requests one after the other, each on a connection of its own: to the server, and in turns to
    one at rest, so that a busy machine does not count against the server."""
    times = ([], [])
    for _ in range(count):
        for each, kept in zip((server, calm), times):
            began = time.monotonic()
            assert status_of(each.ask(request)) == 200
            kept.append((time.monotonic() - began) * 1000)
    return [sorted(kept)[int(count * 0.99) - 1] for kept in times]


class Tricklers:
    """Many connections of one thread that send a byte each, every half second."""

    def __init__(self, server, count, opening, byte=b"a"):
        self.connections = []
        for _ in range(count):
            connection = server.connect()
            connection.sendall(opening)
            self.connections.append(connection)
        self.byte = byte
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stop.wait(0.5):
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.send(self.byte, socket.MSG_NOSIGNAL)

    def end(self):
        self.stop.set()
        self.thread.join()
        replies = [read_to_end(connection) for connection in self.connections]
        for connection in self.connections:
            connection.close()
        return replies


@pytest.mark.parametrize(
    "opening",
    [
        b"GET /hello HTTP/1.1\r\nHost: a\r\nX: ",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n",
    ],
    ids=["heads", "bodies"],
)
def test_256_slow_senders_delay_nobody_else_and_are_cut_off(start_echo, opening):
    server, calm = start_echo("head_ms=2000", "body_ms=1000"), start_echo()

    slow = Tricklers(server, 256, opening)
    threads = server.threads()
    attacked, at_rest = p99_ms(server, calm)
    time.sleep(4.5)
    replies = slow.end()

    assert attacked <= at_rest + 50
    assert threads < 20, "slow senders must not hold threads"
    assert {status_of(reply) for reply in replies} == {408}
    wait_for(lambda: server.counters()["open"] == 1)


def test_64_slow_readers_delay_nobody_else_and_are_cut_off(start_echo):
    server, calm = start_echo("reply_ms=3000"), start_echo()

    readers = []
    for _ in range(64):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(b"GET /big/8000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        readers.append(connection)
    time.sleep(0.7)  # until the replies are made and stuck
    attacked, at_rest = p99_ms(server, calm, count=50)
    wait_for(lambda: server.counters()["open"] == 1, seconds=15)

    assert attacked <= at_rest + 50
    for connection in readers:
        connection.close()


def test_1000_idle_connections_cost_little_and_make_room(start_echo):
    server, calm = start_echo("max_connections=1001"), start_echo()
    server.ask()
    before_kib = server.resident_kib()
    idle = []
    for _ in range(1000):
        connection = server.connect()
        connection.sendall(HELLO)
        read_reply(connection)
        idle.append(connection)

    assert server.threads() < 20, "idle connections must not hold threads"
    assert server.resident_kib() - before_kib < 1000 * 16
    served, at_rest = p99_ms(server, calm)
    assert served <= at_rest + 50

    newcomers = [server.connect() for _ in range(3)]  # one fits, two need room
    for connection in newcomers:
        connection.sendall(HELLO)
        assert status_of(b"HTTP/1.1 " + read_reply(connection)[0].split(b" ", 1)[1]) == 200
    evicted = [connection for connection in idle if is_closed(connection)]
    # Those that came to rest within a moment of one another may change places.
    assert evicted and set(evicted) <= set(idle[: len(evicted) + 8]), "the oldest go first"
    for connection in idle + newcomers:
        connection.close()


def is_closed(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False


def test_more_connections_than_descriptors_cost_no_cpu(start_echo):
    server = start_echo(open_files=64)
    crowd = [server.connect() for _ in range(200)]
    time.sleep(0.5)
    began, cpu = time.monotonic(), server.cpu_seconds()
    time.sleep(2)
    share = (server.cpu_seconds() - cpu) / (time.monotonic() - began)
    for connection in crowd:
        connection.close()
    began = time.monotonic()
    while status_of(server.ask()) != 200:
        assert time.monotonic() - began < 1, "it must recover within a second"

    assert share < 0.05, share


def test_connections_beyond_the_limit_are_told_so(start_echo):
    server = start_echo("max_connections=50")
    crowd = [server.connect() for _ in range(50)]
    time.sleep(0.2)

    refused = [server.ask() for _ in range(50)]

    for reply in refused:
        assert status_of(reply) == 503 and b"too_many_connections" in reply
        assert b"Retry-After: " in reply and b"X-Request-Id: " in reply
    for connection in crowd:
        connection.close()


def test_1000_short_connections_leave_nothing_behind(start_echo):
    server = start_echo()
    server.ask()
    files = server.open_files()

    for _ in range(1000):
        assert status_of(server.ask()) == 200

    time.sleep(0.2)
    assert server.open_files() <= files + 1
    wait_for(lambda: server.counters()["open"] == 1)


def test_64_clients_get_their_own_replies(start_echo):
    server = start_echo()
    wrong = []

    def client(name):
        with server.connect() as connection:
            for i in range(50):
                body = f"{name}-{i}".encode() * (1 + i * 20)
                connection.sendall(
                    b"POST /echo HTTP/1.1\r\nHost: a\r\nX-Request-Id: r%d-%d\r\nContent-Length: %d\r\n\r\n%b"
                    % (name, i, len(body), body)
                )
                head, echoed = read_reply(connection)
                if echoed != body or b"X-Request-Id: r%d-%d\r\n" % (name, i) not in head + b"\r\n":
                    wrong.append((name, i))

    clients = [threading.Thread(target=client, args=(name,)) for name in range(64)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()

    assert wrong == []


LOAD = """
import socket, sys, threading, time
def client():
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    body = b"x" * 200_000
    head = b"POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 200000\\r\\n\\r\\n"
    while True:
        s.sendall(head + body)
        left = 200_000
        while left > 0:
            left -= len(s.recv(1 << 20))
for _ in range(32): threading.Thread(target=client, daemon=True).start()
print("on", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("port", ["port", "management_port"])
def test_health_answers_in_50_ms_whatever_the_load(start_echo, port):
    busy_before = os.getloadavg()[0]
    server, calm = start_echo("management_port=0"), start_echo("management_port=0")
    waiting = [server.connect() for _ in range(200)]  # as many pictures in the making
    for connection in waiting:
        connection.sendall(b"POST /wait/20000 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    load = subprocess.Popen(["python3", "-c", LOAD, str(server.port)], stdout=subprocess.PIPE)
    try:
        load.stdout.readline()
        time.sleep(0.3)
        server.port, calm.port = getattr(server, port), getattr(calm, port)
        health = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        attempts = [p99_ms(server, calm, request=health)]
        while attempts[-1][0] > attempts[-1][1] + 50 and len(attempts) < 4:  # others use the machine
            attempts.append(p99_ms(server, calm, request=health))
    finally:
        load.kill()
        load.wait()
        for connection in waiting:
            connection.close()

    loaded, at_rest = attempts[-1]
    if loaded > at_rest + 50 and busy_before > 1.5 * os.cpu_count():
        pytest.skip(f"the machine was busy with other work: load {busy_before}, p99 {attempts} ms")
    assert loaded <= at_rest + 50, attempts


def test_a_client_that_goes_away_is_noticed_while_200_wait(start_echo):
    server = start_echo()
    waiting = [server.connect() for _ in range(200)]
    for connection in waiting:
        connection.sendall(b"POST /wait/20000 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    time.sleep(0.5)
    for connection in waiting:
        connection.close()
    began = time.monotonic()
    while abandoned(server) < 200:
        assert time.monotonic() - began < 5
        time.sleep(0.01)


def abandoned(server):
    return int(server.ask(b"GET /abandoned HTTP/1.1\r\nHost: a\r\n\r\n").split(b"\r\n\r\n")[1])
