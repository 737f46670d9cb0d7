"""The edge with the handlers of tests/http/echo_server.cpp behind it, and raw sockets to talk to it."""

import contextlib
import os
import pathlib
import resource
import signal
import socket
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SSD1B_BIN_DIR", ROOT / "build" / "bin"))
HELLO = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"


class EchoServer:
    """ssd1b-echo-server with options like head_ms=300; its log is kept in a file."""

    def __init__(self, log, *options, open_files=None):
        def limit():
            if open_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))

        self.log = log
        with open(log, "wb") as stream:
            self.process = subprocess.Popen(
                [str(BIN / "ssd1b-echo-server"), *options],
                stdout=subprocess.PIPE,
                stderr=stream,
                preexec_fn=limit,
            )
        self.port, self.management_port = map(int, self.process.stdout.readline().split())

    def connect(self, timeout=20):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def ask(self, request=HELLO):
        """One request on a connection of its own: the reply until the server closes it."""
        with self.connect() as connection:
            connection.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            return read_to_end(connection)

    def resident_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("the server is gone")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def counters(self):
        text = self.ask(b"GET /counters HTTP/1.1\r\nHost: a\r\n\r\n").split(b"\r\n\r\n", 1)[1].decode()
        return {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1]) for line in text.splitlines()}

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def read_to_end(connection):
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def read_reply(connection):
    """One reply with a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    head, body = received.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head, body


def status_of(reply):
    return int(reply.split(b" ", 2)[1]) if reply.startswith(b"HTTP/1.1 ") else 0
