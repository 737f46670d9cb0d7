"""A system that interrupts calls, moves single bytes, refuses threads and memory, or whose calendar
jumps (tests/support/hostile_system.cpp)."""

import concurrent.futures
import time

import pytest
from running_server import BIN, wait_for

LIBRARY = BIN / "libssd1b-hostile.so"


def check_books_and_end(server):
    # A scrape may be refused, too: then it has no numbers.
    wait_for(lambda: 0 < server.metric("ssd1b_pictures_accepted_total")
             == server.metric("ssd1b_pictures_ended_total"))
    assert server.metric("ssd1b_worker_restarts_total") == 0
    server.terminate()
    assert server.end() == 0, server.text_of_log()[-2000:]


@pytest.mark.parametrize("every", [2, 3, 7])
def test_interrupted_and_short_calls_and_refused_threads_lose_nothing(start, every):
    calm = start()
    expected = [calm.generate("a pear", seed=seed).content for seed in range(8)]
    server = start(LD_PRELOAD=LIBRARY, SSD1B_HOSTILE_EVERY=every)

    def ask(number):
        return number % 8, server.generate("a pear", seed=number % 8)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(ask, range(300)))

    for seed, reply in replies:
        # A thread that the system refuses is the one reason not to answer with the picture.
        assert reply.status_code in (200, 503), reply.text
        assert reply.status_code == 503 or reply.content == expected[seed]
    assert sum(reply.status_code == 200 for _, reply in replies) > 200
    check_books_and_end(server)


@pytest.mark.parametrize("every", [11, 101, 1009])
def test_a_server_without_memory_loses_nothing_and_lives(start, tmp_path, every):
    want_failures = tmp_path / "while"
    server = start(LD_PRELOAD=LIBRARY, SSD1B_HOSTILE_MEMORY=every, SSD1B_HOSTILE_MEMORY_WHILE=want_failures)
    expected = [server.generate("a pear", seed=seed).content for seed in range(8)]

    def ask(number):
        return number % 8, server.generate("a pear", seed=number % 8)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        want_failures.touch()
        replies = list(pool.map(ask, range(500)))
        want_failures.unlink()

    for seed, reply in replies:
        assert reply.status_code in (200, 503), reply.text
        if reply.status_code == 200:
            assert reply.content == expected[seed]
        else:
            assert reply.json()["error"]["code"] in ("out_of_memory", "too_many_connections")
    # What failed while a head was read was refused; what was accepted waited for its memory.
    assert sum(reply.status_code == 200 for _, reply in replies) > 100
    check_books_and_end(server)


def test_a_calendar_that_jumps_by_a_day_changes_nothing(start):
    server = start(LD_PRELOAD=LIBRARY, SSD1B_HOSTILE_CLOCK=1)

    began = time.monotonic()
    for seed in range(20):
        reply = server.generate("delay=5ms", seed=seed, timeout_ms=60000)
        assert reply.status_code == 200, reply.text
        spent = [float(part.split("=")[1]) for part in reply.headers["Server-Timing"].split(",")]
        assert all(0 <= each < 10000 for each in spent), spent
    assert time.monotonic() - began < 30
    job = server.post("/v1/jobs", {"prompt": "delay=5ms"}).json()
    wait_for(lambda: server.get(f"/v1/jobs/{job['id']}").json()["status"] == "succeeded")
    assert server.get(f"/v1/jobs/{job['id']}/image").status_code == 200
    log = server.text_of_log()
    assert " ms=-" not in log and "hangs" not in log
    server.terminate()
    assert server.end() == 0
