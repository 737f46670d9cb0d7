"""GET /: the page, as a browser judges it before it runs anything, and what it asks the service for."""

import base64
import hashlib
import html.parser
import re

import requests
from running_server import ROOT, check_error

FOLDER = ROOT / "src" / "service" / "playground"
SCRIPT = "".join((FOLDER / name).read_text(encoding="utf-8")
                 for name in ("requests.js", "pictures.js", "page.js"))


class Parts(html.parser.HTMLParser):
    """What stands in the elements of a document, and what they lead to."""

    def __init__(self, text):
        super().__init__()
        self.at = ""
        self.texts = {"style": "", "script": ""}
        self.fields = []
        self.labels = set()
        self.links = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.at = tag
        if tag in ("input", "textarea", "select"):
            self.fields.append(found)
        if tag == "label" and "for" in found:
            self.labels.add(found["for"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])

    def handle_data(self, data):
        if self.at in self.texts:
            self.texts[self.at] += data

    def handle_endtag(self, tag):
        self.at = ""


def hash_source(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_page_and_its_policy(server):
    reply = server.get("/")

    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    parts = Parts(reply.content.decode("utf-8"))
    style, script = parts.texts["style"], parts.texts["script"]
    assert style == (FOLDER / "page.css").read_text(encoding="utf-8") and script == SCRIPT
    policy = dict(each.strip().split(" ", 1) for each in reply.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'"
    assert policy["script-src"] == hash_source(script)
    assert policy["style-src"] == hash_source(style)
    for name in ("base-uri", "form-action", "frame-ancestors"):
        assert policy[name] == "'none'"


def test_the_page_by_other_methods(server):
    get, head = server.get("/"), requests.head(server.url + "/", timeout=10)
    assert head.status_code == 200 and head.content == b""
    for name in ("Content-Type", "Content-Length", "Content-Security-Policy"):
        assert head.headers[name] == get.headers[name]

    assert server.post("/", {"inputs": "a red apple"}).headers["Content-Type"] == "image/png"
    for method in ("PUT", "DELETE", "PATCH"):
        reply = requests.request(method, server.url + "/", timeout=10)
        check_error(reply, 405, "method_not_allowed")
        assert reply.headers["Allow"] == "GET, HEAD, POST"


def test_the_page_needs_no_key_and_no_model(start, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("ann:a-key-of-this-test\n")
    server = start("--api-key-file", keys, ready=False, SSD1B_FAKE_LOAD_TIME="2s")

    for headers in ({}, {"X-Api-Key": "another key"}):
        assert server.get("/", headers=headers).status_code == 200
        assert requests.head(server.url + "/", headers=headers, timeout=10).status_code == 200
    check_error(server.get("/v1/models"), 401, "invalid_api_key")
    check_error(server.post("/", {"inputs": "a"}), 401, "invalid_api_key")


def test_every_route_that_the_page_uses_is_one(server):
    paths = server.get("/openapi.json").json()["paths"]
    used = set(re.findall(r'["`]((?:v1/|generate-image)[^"`]*)["`]', SCRIPT))
    used |= set(Parts(server.get("/").text).links)

    assert {re.sub(r"\$\{[^}]*\}", "{id}", each) for each in used} == {
        "v1/models", "v1/jobs", "v1/jobs/{id}", "v1/jobs/{id}/events", "v1/jobs/{id}/image",
        "generate-image", "openapi.json",
    }
    for each in used:
        assert "/" + re.sub(r"\$\{[^}]*\}", "{id}", each) in paths, each
    assert len(re.findall(r"\bfetch\(", SCRIPT)) == 1  # all through the one that adds the key


def test_the_page_knows_what_the_model_s_entry_has(server):
    [model] = server.get("/v1/models").json()["data"]
    used = set(re.findall(r"\b(?:entry|model)\??\.(\w+)", SCRIPT))

    assert used == {"id", "type", "dtype", "device", "defaults", "limits", "schedulers"}
    assert used <= set(model)
    for name in ("width", "height", "steps", "guidance_scale"):
        assert {"minimum", "maximum"} <= set(model["limits"][name])
        assert name in model["defaults"]
    assert {"negative_prompt", "scheduler"} <= set(model["defaults"])
    assert model["limits"]["previews"]["maximum"] >= 1


def test_each_field_of_the_page_has_a_name_for_those_who_do_not_see_it(server):
    text = server.get("/").text
    parts = Parts(text)

    assert parts.fields
    for field in parts.fields:
        is_inside_a_label = re.search(rf'<label[^>]*><input id="{field["id"]}"', text)
        assert field["id"] in parts.labels or "aria-label" in field or is_inside_a_label, field["id"]
