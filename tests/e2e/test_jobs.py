"""POST /v1/jobs and what can be asked of a job."""

import base64
import io
import json
import socket

import pytest
import requests
from PIL import Image
from running_server import check_error, picture_of, pictures_of, wait_for


def post_job(server, prompt="a red apple", **fields):
    reply = server.post("/v1/jobs", {"prompt": prompt, **fields})
    assert reply.status_code == 202, reply.text
    assert reply.headers["Location"] == "/v1/jobs/" + reply.json()["id"]
    return reply.headers["Location"]


def wait_for_end(server, job):
    wait_for(lambda: server.get(job).json()["status"] not in ("queued", "running"))
    return server.get(job).json()


def read_events(reply):
    """(id, name, data) of every event of a finished stream."""
    events = []
    for block in reply.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            events.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return events


def test_a_job_from_its_acceptance_to_its_picture(server):
    job = post_job(server, seed=5, crop_top=64)
    document = wait_for_end(server, job)

    assert set(document) == {
        "id", "status", "created_at", "started_at", "finished_at", "position", "eta_ms", "step",
        "steps", "request", "error",
    }
    assert document["status"] == "succeeded" and document["error"] is None
    assert (document["step"], document["steps"]) == (4, 4)
    assert document["created_at"] <= document["started_at"] <= document["finished_at"]
    assert document["request"]["prompt"] == "a red apple" and document["request"]["seed"] == 5
    assert document["request"]["crop_top"] == 64 and document["request"]["clip_skip"] == 0
    image = server.get(job + "/image")
    assert image.content == server.generate(seed=5, crop_top=64).content
    assert image.headers["X-Seed"] == "5"
    assert server.get(job + "/image").content == image.content


def test_the_image_is_in_the_format_that_was_asked_for(server):
    webp = post_job(server, seed=5, output_format="webp")
    several = post_job(server, seed=5, n=2, response_format="b64_json")
    wait_for_end(server, webp), wait_for_end(server, several)

    assert picture_of(server.get(webp + "/image")).format == "WEBP"
    files = pictures_of(server.get(several + "/image"))
    assert files == [server.generate(seed=seed).content for seed in (5, 6)]


def test_events_of_a_job_that_has_ended(server):
    job = post_job(server, seed=5, steps=3)
    wait_for_end(server, job)

    reply = server.get(job + "/events")

    assert reply.headers["Content-Type"].startswith("text/event-stream")
    events = read_events(reply)
    assert [each[0] for each in events] == list(range(1, len(events) + 1))
    names = [each[1] for each in events]
    assert names[0] == "queued" and names[-1] == "succeeded" and "step" in names
    assert set(events[0][2]) == {"position", "eta_ms"}
    steps = [each[2] for each in events if each[1] == "step"]
    assert all(set(each) == {"step", "steps", "eta_ms"} for each in steps)
    assert [each["step"] for each in steps] == sorted(each["step"] for each in steps)
    assert steps[-1]["step"] == steps[-1]["steps"] == 3
    late = read_events(server.get(job + "/events", headers={"Last-Event-ID": "2"}))
    assert late == events[2:]
    seen = server.get(job + "/events", headers={"Last-Event-ID": str(len(events))})
    assert seen.status_code == 204 and seen.content == b""  # what stops a browser's EventSource
    ahead = server.get(job + "/events", headers={"Last-Event-ID": str(len(events) + 1)})
    assert read_events(ahead) == events  # the job never had that one


def test_previews_of_a_job(server):
    job = post_job(server, "delay=20ms", seed=5, steps=9, previews=2)

    events = read_events(server.get(job + "/events"))

    previews = [data for _, name, data in events if name == "preview"]
    assert [(each["index"], each["step"], each["steps"]) for each in previews] == [
        (0, 3, 9), (0, 6, 9)]
    for each in previews:
        assert Image.open(io.BytesIO(base64.b64decode(each["b64_json"]))).format == "JPEG"
    assert server.get(job).json()["request"]["previews"] == 2
    assert read_events(server.get(job + "/events")) == events


def test_a_listener_that_has_seen_more_than_there_is_hears_the_end(server):
    job = post_job(server, "delay=20ms", steps=10)

    events = read_events(server.get(job + "/events", headers={"Last-Event-ID": "500"}))

    assert events[0][1] == "queued" and events[-1][1] == "succeeded"


def test_events_for_http_1_0_end_with_the_connection(server):
    job = post_job(server, seed=5)
    wait_for_end(server, job)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(f"GET {job}/events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode())
        reply = b"".join(iter(lambda: client.recv(65536), b""))

    assert b"\r\nConnection: close\r\n" in reply and b"Transfer-Encoding" not in reply
    assert b"event: succeeded" in reply


def test_events_come_while_the_job_runs(server):
    job = post_job(server, "delay=100ms", steps=5)

    with requests.get(server.url + job + "/events", stream=True, timeout=30) as reply:
        names = []
        for line in reply.iter_lines(decode_unicode=True):
            if line.startswith("event: "):
                names.append(line[7:])
            if len(names) == 2:
                assert server.get(job).json()["status"] == "running"

    assert names == ["queued"] + ["step"] * 5 + ["succeeded"]


def test_the_image_before_the_end(server):
    job = post_job(server, "delay=100ms")

    check_error(server.get(job + "/image"), 409, "not_finished")
    wait_for_end(server, job)
    assert server.get(job + "/image").status_code == 200


def test_a_job_holds_its_key_s_place_until_it_ends(start, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("ann:a-key-of-this-test concurrency=1\n")
    server = start("--api-key-file", keys)
    ours = {"headers": {"Authorization": "Bearer a-key-of-this-test"}}
    job = server.post("/v1/jobs", {"prompt": "delay=50ms", "steps": 100}, **ours).headers["Location"]

    check_error(server.post("/v1/jobs", {"prompt": "an apple"}, **ours), 429, "rate_limited")
    check_error(server.generate(**ours), 429, "rate_limited")
    with requests.get(server.url + job + "/events", stream=True, timeout=30, **ours):
        assert server.get(job, **ours).status_code == 200  # to watch one's job takes no place
        assert requests.delete(server.url + job, timeout=10, **ours).status_code == 204
    wait_for(lambda: server.get(job, **ours).json()["status"] == "cancelled")
    assert server.generate(**ours).status_code == 200
    assert server.post("/generate-image", {"prompt": ""}, **ours).status_code == 400
    assert server.generate(**ours).status_code == 200


def test_delete_ends_a_running_job(start):
    server = start()
    job = post_job(server, "delay=50ms", steps=100)
    wait_for(lambda: server.get(job).json()["step"] >= 1)

    reply = requests.delete(server.url + job, timeout=10)

    assert reply.status_code == 204 and reply.content == b""
    assert wait_for_end(server, job)["status"] == "cancelled"
    assert read_events(server.get(job + "/events"))[-1][1] == "cancelled"
    check_error(server.get(job + "/image"), 404, "not_found")
    assert server.metric("ssd1b_cancelled_total") == 1
    assert requests.delete(server.url + job, timeout=10).status_code == 204
    check_error(server.get(job), 404, "not_found")


def test_a_job_that_never_ran_has_not_started(start):
    server = start(SSD1B_FAKE_MAX_PICTURES=1)
    running = post_job(server, "delay=50ms", steps=100)
    wait_for(lambda: server.get(running).json()["status"] == "running")
    waiting = post_job(server, "an apple")
    late = post_job(server, "an apple", timeout_ms=300)

    requests.delete(server.url + waiting, timeout=10)

    for job, status in ((waiting, "cancelled"), (late, "failed")):
        document = wait_for_end(server, job)
        assert (document["status"], document["started_at"]) == (status, None)
        assert document["finished_at"] is not None


def test_a_failed_job_says_why(server):
    job = post_job(server, "nan@2")
    document = wait_for_end(server, job)

    assert document["status"] == "failed"
    assert document["error"]["code"] == "non_finite_output" and document["error"]["message"]
    check_error(server.get(job + "/image"), 500, "non_finite_output")
    assert read_events(server.get(job + "/events"))[-1][1] == "failed"


def test_the_log_has_a_failed_job_under_the_id_that_its_document_names(server):
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    reply = server.post("/v1/jobs", {"prompt": "fail@2"},
                        headers={"X-Request-Id": "failed-job", "traceparent": traceparent})
    document = wait_for_end(server, reply.headers["Location"])

    assert document["error"]["request_id"] == "failed-job"
    wait_for(lambda: "job failed request_id=failed-job" in server.text_of_log())
    (record,) = [line for line in server.text_of_log().splitlines() if "job failed request_id=failed-job" in line]
    for part in ("traceparent=" + traceparent, "job=" + document["id"], "code=internal_error", "this is a bug"):
        assert part in record


def test_a_job_s_deadline(server):
    job = post_job(server, "delay=200ms", steps=100, timeout_ms=500)

    assert wait_for_end(server, job)["error"]["code"] == "deadline_exceeded"
    check_error(server.get(job + "/image"), 504, "deadline_exceeded")


def test_a_job_survives_its_worker(start, tmp_path):
    server = start(SSD1B_FAKE_STATE_DIR=tmp_path)
    job = post_job(server, "abort_once@2", seed=1)

    assert wait_for_end(server, job)["status"] == "succeeded"
    steps = [each[2]["step"] for each in read_events(server.get(job + "/events")) if each[1] == "step"]
    assert steps == sorted(steps)


@pytest.mark.parametrize("path", ["", "/image", "/events"])
def test_unknown_jobs(server, path):
    check_error(server.get("/v1/jobs/0123" + path), 404, "not_found")
    check_error(requests.delete(server.url + "/v1/jobs/0123", timeout=10), 404, "not_found")


def test_bad_bodies_are_refused_as_by_generate_image(server):
    check_error(server.post("/v1/jobs", {"prompt": "a", "width": 1}), 400, "invalid_value", "width")
    check_error(server.post("/v1/jobs", {"prompt": "a", "foo": 1}), 400, "unknown_field", "foo")


def test_at_most_256_are_kept_and_the_oldest_ended_makes_room(start):
    # A busy machine's estimate of the wait must stay below it.
    patience = ("--request-timeout", "600000")
    server = start("--queue-size", "1000", *patience, SSD1B_FAKE_MAX_PICTURES=1)
    first = post_job(server, "delay=200ms", steps=2)  # its speed is measured
    wait_for_end(server, first)
    blocker = post_job(server, "delay=5s", steps=100)
    waiting = [post_job(server, steps=2) for _ in range(255)]

    check_error(server.get(first), 404, "not_found")
    refused = server.post("/v1/jobs", {"prompt": "a"})
    check_error(refused, 429, "queue_full")
    assert 10 < int(refused.headers["Retry-After"]) <= 3600  # 100 steps until the first one ends
    for job in (waiting[0], blocker):
        assert requests.delete(server.url + job, timeout=10).status_code == 204
    wait_for(lambda: server.post("/v1/jobs", {"prompt": "a"}).status_code == 202)
