"""Health, models, version, the OpenAPI document; routes and methods that there are not."""

import re

import pytest
import requests
from running_server import RunningServer, check_error, picture_of, wait_for


def test_standard_output_is_one_line():
    with RunningServer() as server:
        server.wait_until_ready()
        server.generate()
        server.terminate()

        assert server.end() == 0
        assert server.lines == [f"listening on http://127.0.0.1:{server.port}\n"]


@pytest.mark.parametrize("path", ["/healthz", "/ping", "/readyz", "/health"])
def test_health(server, path):
    reply = server.get(path)

    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("application/json")
    assert reply.json()["status"] in ("live", "ready")
    assert "reason" in reply.json()


def test_live_but_not_ready_while_loading(start):
    server = start(ready=False, SSD1B_FAKE_LOAD_TIME="1s")

    assert server.get("/healthz").status_code == 200
    for path in ("/readyz", "/health"):
        reply = server.get(path)
        assert reply.status_code == 503
        assert reply.json()["error"]["code"] == "not_ready"
        assert reply.json()["reason"]
    for reply in (server.generate(), server.get("/v1/models"), server.post("/v1/jobs", {"prompt": "a"})):
        check_error(reply, 503, "not_ready")
        assert int(reply.headers["Retry-After"]) >= 1
    assert server.get("/openapi.json").status_code == 200
    assert server.get("/version").status_code == 200
    server.wait_until_ready()
    assert server.generate().status_code == 200


def test_models(server):
    body = server.get("/v1/models").json()

    assert body["object"] == "list"
    (model,) = body["data"]
    assert model["id"] == "icons" and model["object"] == "model"
    assert isinstance(model["created"], int) and model["owned_by"]
    assert model["type"] == "fake" and model["dtype"] == "float32" and model["device"] == "cpu"
    assert "euler" in model["schedulers"] and "dpmpp_2m_karras" in model["schedulers"]
    assert model["defaults"]["steps"] == 4 and model["defaults"]["guidance_scale"] == 7.5
    assert model["defaults"]["width"] == 64 and model["defaults"]["scheduler"] == "euler"
    limits = model["limits"]
    assert limits["width"] == {"minimum": 64, "maximum": 2048, "multiple_of": 8}
    assert (limits["steps"]["minimum"], limits["steps"]["maximum"]) == (1, 150)
    assert limits["steps"]["per_scheduler"]["lcm"]["maximum"] == 50
    assert limits["seed"]["maximum"] == 2**64 - 1
    assert server.get("/v1/models/icons").json() == model
    check_error(server.get("/v1/models/other"), 404, "model_not_found")


def test_served_model_names(start):
    server = start("--served-model-name", "apples", "--served-model-name", "org/pears")

    assert [each["id"] for each in server.get("/v1/models").json()["data"]] == ["apples", "org/pears"]
    assert server.generate().headers["X-Model"] == "apples"
    assert server.post("/models/org/pears", {"inputs": "a"}).status_code == 200
    check_error(server.post("/models/icons", {"inputs": "a"}), 404, "model_not_found")
    check_error(server.post("/v1/images/generations", {"prompt": "a", "model": "dall-e-3"}),
                404, "model_not_found", "model")


def test_version(server):
    body = server.get("/version").json()

    assert re.fullmatch(r"\d+\.\d+\.\d+", body["version"])
    assert {"version", "commit", "libtorch", "cuda"} <= set(body)
    assert body["libtorch"] == "none" and body["cuda"] is None  # what the fake worker says
    libraries = ("cpp-httplib", "nlohmann-json", "spdlog", "prometheus-cpp", "libdeflate",
                 "libjpeg-turbo", "libwebp")
    for name in libraries:
        assert re.match(r"\d+\.\d+", body[name]), name


def test_head_is_get_without_the_body(server):
    for path in ("/healthz", "/v1/models", "/openapi.json"):
        get, head = server.get(path), requests.head(server.url + path, timeout=10)
        assert head.status_code == 200 and head.content == b""
        assert head.headers["Content-Type"] == get.headers["Content-Type"]


@pytest.mark.parametrize("path", ["/nothing", "/generate-image/", "/v1", "/v1/jobs/", "/Healthz", "//"])
def test_other_paths_are_not_found(server, path):
    check_error(server.get(path), 404, "not_found")


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("GET", "/generate-image", {"POST"}),
        ("DELETE", "/generate-image", {"POST"}),
        ("PUT", "/generate-image", {"POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("POST", "/v1/models", {"GET", "HEAD"}),
        ("GET", "/v1/jobs", {"POST"}),
        ("PATCH", "/v1/jobs/1", {"GET", "HEAD", "DELETE"}),
    ],
)
def test_other_methods_say_which_there_are(server, method, path, allowed):
    reply = requests.request(method, server.url + path, timeout=10)

    check_error(reply, 405, "method_not_allowed")
    assert allowed <= set(re.split(r",\s*", reply.headers["Allow"]))


def test_the_openapi_document_has_every_route(server):
    document = server.get("/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    methods = {path: set(entry) & {"get", "post", "delete"} for path, entry in document["paths"].items()}
    expected = {
        "/generate-image": {"post"}, "/v1/images/generations": {"post"},
        "/v1/images/{id}/content": {"get"}, "/v1/ssd-1b": {"post"}, "/models/{name}": {"post"},
        "/v1/jobs": {"post"}, "/v1/jobs/{id}": {"get", "delete"}, "/v1/jobs/{id}/events": {"get"},
        "/v1/jobs/{id}/image": {"get"}, "/healthz": {"get"}, "/ping": {"get"}, "/readyz": {"get"},
        "/health": {"get"}, "/metrics": {"get"}, "/version": {"get"}, "/v1/models": {"get"},
        "/openapi.json": {"get"},
    }
    for path, wanted in expected.items():
        assert wanted <= methods[path], path
    assert "post" in methods["/"]
    ids = [one["operationId"] for entry in document["paths"].values() for one in entry.values()]
    assert len(ids) == len(set(ids))
    request = document["components"]["schemas"]["GenerateRequest"]
    assert request["additionalProperties"] is False
    assert request["properties"]["width"] == {
        "type": "integer", "minimum": 64, "maximum": 2048, "multipleOf": 8,
    }
    assert request["oneOf"] == [{"required": ["prompt"]}, {"required": ["text"]}]
    assert "euler" in request["properties"]["scheduler"]["enum"]


def test_the_openapi_document_lists_what_the_edge_answers(server):
    document = server.get("/openapi.json").json()
    faults = {
        400: {"headers": {"Host": "a b"}},
        413: {"data": b"x" * 262145},
        414: {"params": {"x": "x" * 8200}},
        415: {"headers": {"Content-Encoding": "gzip"}},
        417: {"headers": {"Expect": "much"}},
        431: {"headers": {f"x{i}": "x" for i in range(70)}},
    }

    for path, entry in document["paths"].items():
        for method, operation in entry.items():
            for status, fault in faults.items():
                reply = requests.request(method, server.url + path, timeout=10, **fault)
                assert reply.status_code == (400 if (status, method) == (413, "get") else status)
                assert str(reply.status_code) in operation["responses"], (method, path)


def test_every_reference_of_the_openapi_document_leads_somewhere(server):
    document = server.get("/openapi.json").json()

    def references(node):
        if isinstance(node, dict):
            if "$ref" in node:
                yield node["$ref"]
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                yield from references(each)

    found = set(references(document))
    assert found
    for reference in found:
        at = document
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]


def test_metrics_count_pictures(start):
    server = start()
    server.generate()
    server.generate(n=2, response_format="b64_json")
    server.generate("fail@1")

    reply = server.get("/metrics")

    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert server.metric("ssd1b_pictures_accepted_total") == 4
    wait_for(lambda: server.metric("ssd1b_pictures_ended_total") == 4)
    assert 'outcome="succeeded"} 3' in reply.text
    assert 'outcome="failed"} 1' in reply.text
    assert "fail@1" not in reply.text
    assert server.metric("ssd1b_queue_pictures") == 0


def test_a_management_port_has_metrics_and_health_for_itself(start):
    server = start("--management-port", "0")
    port = re.search(r"health and metrics have a port port=(\d+)", server.text_of_log())[1]

    assert server.get("/metrics").status_code == 404
    for path in ("/metrics", "/healthz", "/readyz"):
        assert requests.get(f"http://127.0.0.1:{port}{path}", timeout=10).status_code == 200
    assert server.get("/healthz").status_code == 200


def test_pictures_of_many_sizes(server):
    for width, height in ((64, 64), (72, 200), (1024, 64), (2048, 1152)):
        picture = picture_of(server.generate(width=width, height=height, steps=1))
        assert picture.size == (width, height)
