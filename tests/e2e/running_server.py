"""A server process under test."""

import base64
import io
import os
import pathlib
import signal
import subprocess
import threading
import time

import requests
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SSD1B_BIN_DIR", ROOT / "build" / "bin"))
SERVER = BIN / "ssd1b-server"
FAKE_WORKER = BIN / "ssd1b-fake-worker"
ICONS = ROOT / "models" / "icons"


class RunningServer:
    """ssd1b-server on a free port; `prefix` is a command that runs it. Its standard error is kept in `log`."""

    def __init__(self, *arguments, worker=FAKE_WORKER, wait_for_line=True, prefix=(), port=0, **variables):
        command = [*prefix, SERVER, "--port", port, "--model", ICONS, "--worker", worker, *arguments]
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**clean_environment(), **{name: str(value) for name, value in variables.items()}},
        )
        self.log = bytearray()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.lines = []
        if wait_for_line:
            line = self.process.stdout.readline().decode()
            assert line.startswith("listening on http://"), (line, self.text_of_log())
            self.lines.append(line)
            self.url = line.split()[-1]
            self.port = int(self.url.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def _read_log(self):
        for line in self.process.stderr:
            self.log += line

    def text_of_log(self):
        if self.process.poll() is not None:
            self._reader.join(timeout=5)
        return self.log.decode(errors="replace")

    def wait_until_ready(self, seconds=60):
        wait_for(lambda: self.get("/readyz").status_code == 200, seconds)

    def get(self, path, **kwargs):
        return requests.get(self.url + path, timeout=60, **kwargs)

    def post(self, path, body=None, **kwargs):
        return requests.post(self.url + path, json=body, timeout=600, **kwargs)

    def generate(self, prompt="a red apple", headers=None, **fields):
        return self.post("/generate-image", {"prompt": prompt, **fields}, headers=headers)

    def metric(self, name):
        """The sum of a series over its labels; 0 where it has no sample yet."""
        total = 0.0
        for line in self.get("/metrics").text.splitlines():
            if line.startswith((name + " ", name + "{")):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def end(self, seconds=30):
        """Waits for the end; the exit status."""
        status = self.process.wait(timeout=seconds)
        self.lines += self.process.stdout.read().decode().splitlines()
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def clean_environment():
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SSD1B_") and name != "PORT"
    }


def run_server(*arguments, seconds=30, **variables):
    """A server that is expected to end by itself: the finished process, output as text."""
    return subprocess.run(
        [str(SERVER), *[str(each) for each in arguments]],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**clean_environment(), **variables},
    )


def wait_for(condition, seconds=10):
    """Until it holds; fails when it does not in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to hold in time"
        time.sleep(0.01)


def picture_of(reply):
    """The decoded picture of a reply whose body is one."""
    assert reply.status_code == 200, reply.text
    picture = Image.open(io.BytesIO(reply.content))
    picture.load()
    return picture


def pictures_of(reply):
    """The files of a JSON reply."""
    assert reply.status_code == 200, reply.text
    return [base64.b64decode(each["b64_json"], validate=True) for each in reply.json()["images"]]


def check_error(reply, status, code, param=None):
    """An error reply in the one shape that all have."""
    assert reply.status_code == status, (reply.status_code, reply.text)
    assert reply.headers["Content-Type"].startswith("application/json")
    assert set(reply.json()) == {"error"}
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code", "request_id"}
    assert error["code"] == code, error
    assert error["param"] == param, error
    assert error["request_id"] == reply.headers["X-Request-Id"]
    assert error["message"] and not error["message"].endswith(".")
    return error
