"""The edge under clients that send what they should not, over raw sockets."""

import contextlib
import signal
import subprocess
import time

from echo_server import read_to_end, status_of
from running_server import wait_for


def test_huge_bodies_are_refused_readably_and_cost_no_memory(start_echo):
    server = start_echo()
    server.ask()
    before_kib = server.resident_kib()
    megabyte = b"x" * 1_000_000
    for _ in range(5):
        with server.connect() as connection:
            connection.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n")
            for _ in range(200):
                connection.sendall(megabyte)
            assert status_of(read_to_end(connection)) == 413

    assert server.resident_kib() - before_kib <= 1024


def test_a_million_one_byte_chunks_are_refused_and_cost_no_memory(start_echo):
    server = start_echo()
    request = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"1\r\nx\r\n" * 100_000
    sizes = []
    for _ in range(20):
        with server.connect() as connection:
            connection.sendall(request)
            for _ in range(10):
                connection.sendall(chunks)
            assert status_of(read_to_end(connection)) == 413
        sizes.append(server.resident_kib())

    # The first bodies shape the heap, on a busy machine three or four of them; then it is as large as it gets,
    # and at times smaller: the allocator gives free memory back.
    assert max(sizes[10:]) - max(sizes[:10]) <= 256, sizes


def test_a_head_without_end_is_cut_off(start_echo):
    server = start_echo()
    server.ask()
    before_kib = server.resident_kib()
    for opening in (b"GET /hello HTTP/1.1\r\nX: ", b"GET /hello HTTP/1.1\r\n"):
        with server.connect() as connection:
            connection.sendall(opening)
            with contextlib.suppress(OSError):  # 64 MB of one line, and of many
                for _ in range(64):
                    connection.sendall(b"A: b\r\n" * 170_000 if opening.endswith(b"\n") else b"y" * 1_000_000)
            assert status_of(read_to_end(connection)) == 431

    assert server.resident_kib() - before_kib <= 1024


def test_nothing_that_a_client_sends_forges_a_line_of_the_log(start_echo, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("ann:very-secret-key\n")
    server = start_echo(f"keys={keys}")
    authorized = b"Authorization: Bearer very-secret-key\r\n"
    requests = [
        b"GET /hello HTTP/1.1\r\nHost: a\r\n" + authorized + b"X-Request-Id: a\x0bb\r\n\r\n",
        b"GET /%0a2026-01-01T00:00:00Z%20error HTTP/1.1\r\nHost: a\r\n" + authorized + b"\r\n",
        b"GET /\xe2\x80\xa8x HTTP/1.1\r\nHost: a\r\n" + authorized + b"\r\n",
        b"GET /%E2%80%A8%1B%5B31m HTTP/1.1\r\nHost: a\r\n" + authorized + b"\r\n",
        b"GET /%22%20status=200%20x=%22 HTTP/1.1\r\nHost: a\r\n" + authorized + b"\r\n",
        b"GET /hello HTTP/1.1\r\nHost: a\r\nX-Api-Key: a-wrong-key\r\n\r\n",
    ]
    statuses = [status_of(server.ask(request)) for request in requests]

    assert statuses == [400, 400, 400, 400, 404, 401]
    time.sleep(0.3)
    log = server.log.read_bytes()
    lines = [line for line in log.splitlines() if b"info request " in line]
    assert len(lines) == len(requests)
    assert len(log.split(b"\n")) - 1 == len(lines) + 1  # and the warning that the key is plain text
    assert b"secret" not in log and b"wrong-key" not in log
    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in log)


def test_every_line_of_a_request_names_it(start_echo):
    server = start_echo()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for path in ("fail", "break"):
        with server.connect() as connection:
            head = f"GET /{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            connection.sendall(f"{head}X-Request-Id: id-of-{path}\r\ntraceparent: {trace}\r\n\r\n".encode())
            assert b"secret" not in read_to_end(connection)

    for path in ("fail", "break"):  # what went wrong, and the request's own line
        wait_for(lambda: server.log.read_text().count(f"request_id=id-of-{path} traceparent={trace}") == 2)


def test_sigterm_answers_what_is_handled(start_echo):
    server = start_echo()
    connections = [server.connect() for _ in range(20)]
    for connection in connections:
        connection.sendall(b"POST /wait/800 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)

    for connection in connections:
        reply = read_to_end(connection)
        assert status_of(reply) == 200 and b"\r\nConnection: close\r\n" in reply
    assert server.process.wait(timeout=5) == 0
    server.process = subprocess.Popen(["sleep", "60"])  # what the fixture ends
    server.end = lambda: server.process.kill() or 0
