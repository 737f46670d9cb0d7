"""Too much, too late, gone away: 429, 503, 504, cancelled work."""

import concurrent.futures
import http.client
import json
import socket
import threading
import time

import pytest
import requests
from running_server import check_error, wait_for


def in_background(pool, server, count, **fields):
    return [pool.submit(server.generate, seed=i, **fields) for i in range(count)]


def test_a_full_queue_refuses_with_the_time_to_come_back(start):
    server = start("--queue-size", "2", SSD1B_FAKE_MAX_PICTURES=1)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        accepted = in_background(pool, server, 3, prompt="delay=300ms")
        wait_for(lambda: server.metric("ssd1b_pictures_accepted_total") == 3)

        began = time.monotonic()
        refused = server.generate()

        assert time.monotonic() - began < 0.5
        check_error(refused, 429, "queue_full")
        assert int(refused.headers["Retry-After"]) >= 1
        assert all(each.result().status_code == 200 for each in accepted)
    assert server.generate().status_code == 200


def test_more_pictures_than_can_ever_wait_are_a_mistake(start):
    server = start("--queue-size", "1", SSD1B_FAKE_MAX_PICTURES=2)

    assert server.generate(n=3, response_format="b64_json").status_code == 200
    check_error(server.generate(n=4, response_format="b64_json"), 400, "invalid_value", "n")
    reply = server.post("/v1/images/generations", {"prompt": "a", "n": 4})
    check_error(reply, 400, "invalid_value", "n")


def test_a_queue_of_size_0(start):
    server = start("--queue-size", "0", SSD1B_FAKE_MAX_PICTURES=1)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        (running,) = in_background(pool, server, 1, prompt="delay=300ms")
        wait_for(lambda: server.metric("ssd1b_pictures_accepted_total") == 1)

        check_error(server.generate(), 429, "queue_full")
        assert running.result().status_code == 200


def test_a_deadline_that_passes_while_it_runs(start):
    server = start()

    began = time.monotonic()
    reply = server.generate("delay=200ms", steps=100, timeout_ms=500)

    assert 0.4 < time.monotonic() - began < 1.5
    check_error(reply, 504, "deadline_exceeded")
    wait_for(lambda: server.metric("ssd1b_pictures_ended_total") == 1)
    steps = server.metric("ssd1b_steps_total")
    time.sleep(0.5)
    assert server.metric("ssd1b_steps_total") - steps <= 1  # the one that ran at the deadline


def test_a_deadline_that_passes_while_it_waits(start):
    server = start(SSD1B_FAKE_MAX_PICTURES=1)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        (running,) = in_background(pool, server, 1, prompt="delay=500ms")
        wait_for(lambda: server.metric("ssd1b_pictures_accepted_total") == 1)

        check_error(server.generate(timeout_ms=300), 504, "deadline_exceeded")
        assert running.result().status_code == 200


def open_request(server, **fields):
    """A connection on which a request has been sent and no reply been read."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    body = json.dumps(fields)
    connection.request("POST", "/generate-image", body, {"Content-Type": "application/json"})
    return connection


def half_close(connection):
    connection.sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("go_away", [http.client.HTTPConnection.close, half_close])
def test_a_running_picture_stops_when_its_client_goes_away(start, go_away):
    server = start()
    connection = open_request(server, prompt="delay=50ms", steps=100)
    wait_for(lambda: server.metric("ssd1b_steps_total") >= 2)

    go_away(connection)

    wait_for(lambda: server.metric("ssd1b_cancelled_total") == 1, seconds=1)
    steps = server.metric("ssd1b_steps_total")
    time.sleep(0.4)
    assert server.metric("ssd1b_steps_total") - steps <= 1
    assert 'ssd1b_cancelled_total{state="running"} 1' in server.get("/metrics").text


def test_a_waiting_picture_leaves_the_queue_when_its_client_goes_away(start):
    server = start(SSD1B_FAKE_MAX_PICTURES=1)
    running = open_request(server, prompt="delay=100ms", steps=20)
    wait_for(lambda: server.metric("ssd1b_steps_total") >= 1)
    waiting = open_request(server, prompt="b")
    wait_for(lambda: server.metric("ssd1b_queue_pictures") == 1)

    waiting.close()

    wait_for(lambda: server.metric("ssd1b_queue_pictures") == 0, seconds=1)
    assert 'ssd1b_cancelled_total{state="queued"} 1' in server.get("/metrics").text
    assert running.getresponse().status == 200


@pytest.mark.parametrize(
    "prompt, status, code",
    [("oom@1", 503, "out_of_memory"), ("nan@2", 500, "non_finite_output"), ("fail@1", 500, "internal_error")],
)
def test_faults_of_a_picture(server, prompt, status, code):
    reply = server.generate(prompt)

    error = check_error(reply, status, code)
    assert prompt not in error["message"]
    if status == 503:
        assert int(reply.headers["Retry-After"]) >= 1
    assert server.generate().status_code == 200


def test_one_fault_of_several_pictures_is_the_request_s(server):
    reply = server.generate("fail_once@1", seed=77001, n=3, response_format="b64_json")

    assert reply.status_code in (200, 500)
    check_error(server.generate("fail@1", n=3, response_format="b64_json"), 500, "internal_error")


def test_a_dead_worker_costs_time_but_no_answer(start, tmp_path):
    server = start(SSD1B_FAKE_STATE_DIR=tmp_path)
    expected = {seed: server.generate("abort_once@2 pear", seed=seed).content for seed in range(4)}

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda seed: server.generate("abort_once@2 pear", seed=seed), range(4)))

    assert [each.content for each in again] == list(expected.values())
    assert server.metric("ssd1b_worker_restarts_total") >= 1


def test_health_answers_under_load(start):
    server = start("--queue-size", "100")
    stop = threading.Event()

    def load():
        while not stop.is_set():
            server.generate("delay=5ms")

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    times = []
    session = requests.Session()
    for _ in range(50):
        began = time.monotonic()
        assert session.get(server.url + "/healthz", timeout=10).status_code == 200
        times.append(time.monotonic() - began)
    stop.set()
    for thread in threads:
        thread.join()
    assert sorted(times)[45] < 0.1
