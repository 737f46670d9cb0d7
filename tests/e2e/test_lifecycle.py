"""Start and end: exit statuses, SIGTERM, the health check command."""

import concurrent.futures
import os
import re
import signal
import socket
import subprocess
import time

import pytest
import requests
from running_server import FAKE_WORKER, ICONS, SERVER, RunningServer, check_error, run_server, wait_for


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--port", "70000"], "port"),
        (["--port", "x"], "port"),
        (["--queue-size", "-1"], "queue-size"),
        (["--nonsense"], "nonsense"),
        (["--dtype", "int8"], "dtype"),
        (["--device", "tpu"], "device"),
        (["--log-level", "loud"], "log-level"),
        (["--config", "/nowhere.toml"], "config"),
        (["--api-key-file", "/nowhere.keys"], "api-key-file"),
    ],
)
def test_usage_is_64(arguments, named):
    ended = run_server("--model", ICONS, "--worker", FAKE_WORKER, *arguments)

    assert ended.returncode == 64, ended.stderr
    assert named in ended.stderr
    assert ended.stdout == ""


def test_a_variable_is_named_too():
    ended = run_server("--model", ICONS, SSD1B_QUEUE_SIZE="many")

    assert ended.returncode == 64 and "SSD1B_QUEUE_SIZE" in ended.stderr


@pytest.mark.parametrize("status", [65, 69])
def test_a_worker_that_cannot_load_ends_the_server(status):
    ended = run_server("--port", 0, "--model", ICONS, "--worker", FAKE_WORKER, "--device", "cpu",
                       SSD1B_FAKE_LOAD_STATUS=str(status))

    assert ended.returncode == status, ended.stderr
    assert "ordered" in ended.stderr


def test_a_worker_that_never_becomes_ready_is_70():
    ended = run_server("--port", 0, "--model", ICONS, "--worker", FAKE_WORKER, "--device", "cpu",
                       seconds=120, SSD1B_FAKE_LOAD_STATUS="1")

    assert ended.returncode == 70, ended.stderr


def test_a_port_that_is_taken_is_71():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        ended = run_server("--port", port, "--model", ICONS, "--worker", FAKE_WORKER)

    assert ended.returncode == 71, ended.stderr
    assert str(port) in ended.stderr


def test_an_address_that_nobody_can_read_is_71():
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [SERVER, "--port", "0", "--model", ICONS, "--worker", FAKE_WORKER],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=30,
        )  # fmt: skip

    assert ended.returncode == 71 and "standard output" in ended.stderr, ended.stderr


def test_help_that_nobody_can_read_is_71():
    with open("/dev/full", "w", encoding="ascii") as full:
        assert subprocess.run([SERVER, "--help"], stdout=full, check=False).returncode == 71


def test_help_and_version_print_and_end():
    help_text, version = run_server("--help"), run_server("--version")

    assert help_text.returncode == 0 and "--queue-size" in help_text.stdout
    assert version.returncode == 0 and re.search(r"\d+\.\d+\.\d+", version.stdout)


def test_sigterm_when_idle(start):
    server = start()
    began = time.monotonic()

    server.terminate()

    assert server.end() == 0
    assert time.monotonic() - began < 1.5


def test_sigterm_finishes_what_runs_and_what_waits(start):
    server = start(SSD1B_FAKE_MAX_PICTURES=2)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        accepted = [pool.submit(server.generate, "delay=100ms", seed=i) for i in range(6)]
        wait_for(lambda: server.metric("ssd1b_pictures_accepted_total") == 6)

        server.terminate()

        assert [each.result().status_code for each in accepted] == [200] * 6
    assert server.end() == 0


def test_new_requests_are_refused_while_draining(start):
    server = start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.generate, "delay=300ms", steps=8)
        wait_for(lambda: server.metric("ssd1b_pictures_accepted_total") == 1)
        server.terminate()
        wait_for(lambda: server.get("/readyz").status_code == 503)
        time.sleep(0.1)  # not ready comes first, by less than a millisecond

        reply = server.generate("a")

        check_error(reply, 503, "shutting_down")
        assert "Retry-After" in reply.headers
        assert not running.done(), "nothing was being drained any more"
        assert running.result().status_code == 200
    assert server.end() == 0


def test_drain_timeout_ends_the_rest_with_503(start):
    server = start("--drain-timeout", "0.5")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.generate, "delay=500ms", steps=100)
        wait_for(lambda: server.metric("ssd1b_steps_total") >= 1)
        began = time.monotonic()

        server.terminate()

        check_error(running.result(), 503, "shutting_down")
    assert server.end() == 0
    assert time.monotonic() - began < 3


def test_drain_grace_keeps_accepting_while_not_ready(start):
    server = start("--drain-grace", "1.5")

    server.terminate()

    wait_for(lambda: server.get("/readyz").status_code == 503)
    assert server.get("/healthz").status_code == 200
    assert server.generate().status_code == 200
    assert server.end() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(start, second):
    server = start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.generate, "delay=500ms", steps=100)
        wait_for(lambda: server.metric("ssd1b_steps_total") >= 1)
        server.terminate()
        time.sleep(0.2)
        began = time.monotonic()

        server.process.send_signal(second)

        assert server.end() in (-second, 128 + second)
        assert time.monotonic() - began < 1
        assert "ended at once by a second signal" in server.text_of_log()
        with pytest.raises(requests.RequestException):
            running.result()



def test_a_signal_that_comes_twice_at_once_is_one(start):
    """As GNU timeout sends it: to the process, then to its group."""
    server = start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.generate, "delay=100ms", steps=5)
        wait_for(lambda: server.metric("ssd1b_steps_total") >= 1)

        server.terminate()
        time.sleep(0.002)
        server.terminate()

        assert server.end() == 0
        assert running.result().status_code == 200


def test_workers_that_cannot_start_any_more_end_the_grace_with_70(start, tmp_path):
    worker = tmp_path / "worker"
    broken = tmp_path / "broken"
    worker.write_text(f'#!/bin/sh\n[ -e {broken} ] && exit 1\nexec {FAKE_WORKER} "$@"\n')
    worker.chmod(0o755)
    server = start("--drain-grace", "20", "--drain-timeout", "25", worker=worker)
    server.terminate()
    wait_for(lambda: "shutting down" in server.text_of_log())

    broken.touch()
    subprocess.run(["pkill", "-KILL", "-P", str(server.process.pid)], check=True)

    assert server.end(seconds=18) == 70
    assert "five times" in server.text_of_log().splitlines()[-1]


def test_a_worker_never_outlives_its_server(start):
    server = start()
    found = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True)
    workers = [int(each) for each in found.stdout.split()]
    assert workers

    server.kill()

    def is_gone(pid):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return stat.read().split()[2] == "Z"
        except FileNotFoundError:
            return True

    wait_for(lambda: all(is_gone(each) for each in workers), seconds=5)


def test_health_check_command(start):
    server = start()

    good = subprocess.run([SERVER, "--healthcheck", server.url], capture_output=True, text=True, timeout=20)
    path = subprocess.run([SERVER, "--healthcheck", server.url + "/readyz"], capture_output=True, timeout=20)
    no_path = [subprocess.run([SERVER, "--healthcheck", server.url + query], capture_output=True, timeout=20)
               for query in ("/", "?x=1", "/?x=1")]
    missing = subprocess.run([SERVER, "--healthcheck", server.url + "/none"], capture_output=True, timeout=20)
    no_port = [subprocess.run([SERVER, "--healthcheck", f"http://127.0.0.1:{port}"], capture_output=True, timeout=20)
               for port in (0, 65536, 70000)]
    server.kill()
    dead = subprocess.run([SERVER, "--healthcheck", server.url], capture_output=True, text=True, timeout=20)

    assert good.returncode == 0 and good.stderr == ""
    assert path.returncode == 0
    assert [each.returncode for each in no_path] == [0, 0, 0]
    assert "path=/ " not in server.text_of_log()  # the page says nothing of health
    assert server.text_of_log().count("path=/healthz ") == 4
    assert missing.returncode == 1
    assert [each.returncode for each in no_port] == [1, 64, 64]
    assert all(len(each.stderr.splitlines()) == 1 for each in no_port)
    assert dead.returncode == 1 and len(dead.stderr.splitlines()) == 1


def test_no_prompt_and_one_access_line_in_the_log(start):
    server = start("--log-format", "json")
    server.generate("a secret word", headers={"X-Request-Id": "find-me"})
    server.terminate()
    server.end()

    lines = [line for line in server.text_of_log().splitlines() if "find-me" in line]
    assert len(lines) == 1, server.text_of_log()
    assert "secret" not in server.text_of_log()


def write_keys(path, *keys):
    path.write_text("".join(f"client{i}:{key}\n" for i, key in enumerate(keys)))


def status_with(server, key):
    return server.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_hang_up_reads_the_keys_again_also_in_the_grace(start, tmp_path):
    keys = tmp_path / "keys"
    write_keys(keys, "first-key-of-this-test")
    server = start("--api-key-file", keys, "--drain-grace", "20")
    assert status_with(server, "first-key-of-this-test") == 200

    write_keys(keys, "second-key-of-this-test")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: status_with(server, "second-key-of-this-test") == 200)
    assert status_with(server, "first-key-of-this-test") == 401

    server.terminate()
    wait_for(lambda: "shutting down" in server.text_of_log())
    write_keys(keys, "third-key-of-this-test")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: status_with(server, "third-key-of-this-test") == 200)


def test_a_key_file_that_nobody_writes_to_does_not_stop_the_server(start, tmp_path):
    keys = tmp_path / "keys"
    write_keys(keys, "the-key-of-this-test")
    server = start("--api-key-file", keys)
    keys.unlink()
    os.mkfifo(keys)

    server.process.send_signal(signal.SIGHUP)

    wait_for(lambda: "the old ones stay" in server.text_of_log())
    assert status_with(server, "the-key-of-this-test") == 200
    server.terminate()
    assert server.end() == 0


def test_nobody_leaves_a_core_file(server):
    with open(f"/proc/{server.process.pid}/limits") as limits:
        (core,) = [line.split() for line in limits if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]


def test_lost_log_records_are_counted(server):
    assert "ssd1b_log_records_dropped_total 0" in server.get("/metrics").text
