"""What strangers ask for: an address of ours as they write it, HEAD, and what is not here."""

import json

import pytest

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from tests import asgi

EVENT = json.dumps({"event_name": "Lead", "user_data": {"email": "canary@example.org"}}).encode()
KEY = "Bearer key-one"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    outbox = f"sqlite:///{tmp_path_factory.mktemp('addresses') / 'outbox.db'}"
    told = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": outbox, "RELAY_API_KEYS": "key-one"}
    told |= {"RELAY_ALLOWED_ORIGINS": "https://shop.example", "RELAY_ADMIN_PASSWORD": "pass"}
    with Relay(Settings.from_env(told)) as relay:
        yield create_app(relay)


@pytest.mark.parametrize("path", ["/events/", "//events", "//events//"])
def test_a_slash_too_many_costs_no_event(app, path):
    assert asgi.ask(app, path, EVENT, authorization=KEY).status == 202
    asked = asgi.ask(app, path, method="OPTIONS", origin="https://shop.example")
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, "https://shop.example")


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/metrics", "/openapi.json", "/meta-tracking.js", "/dashboard", "/dashboard/sign-in"]
)
def test_head_is_answered_as_get_without_a_body(app, path):
    told = {"authorization": "Basic dTpwYXNz"}
    asked, looked = (asgi.ask(app, path, method=method, **told) for method in ("HEAD", "GET"))
    assert (asked.status, looked.status) == (200, 200)
    assert looked.body and (asked.body == b"" or path == "/livez" or path == "/openapi.json")


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("POST", "/", 404, "not_found"),
        ("POST", "/event", 404, "not_found"),
        ("GET", "/healthz", 404, "not_found"),
        ("POST", "/livez", 405, "method_not_allowed"),
        ("PUT", "/meta-tracking.js", 405, "method_not_allowed"),
        ("POST", "/readyz", 405, "method_not_allowed"),
        ("GET", "/metrics", 401, "unauthorized"),
    ],
)
def test_what_is_not_here_is_told_as_every_refusal_is(app, method, path, status, reason):
    answer = asgi.ask(app, path, method=method)
    body = json.loads(answer.body)
    assert (answer.status, answer.headers["x-relay-reason"], body["reason"]) == (status, reason, reason)
    assert body["field"] and body["message"]


def test_a_person_who_looks_at_metrics_is_led_to_sign_in(app):
    answer = asgi.ask(app, "/metrics", method="GET", accept="text/html", sec_fetch_mode="navigate")
    assert (answer.status, answer.headers["location"]) == (303, "/dashboard/sign-in?to=%2Fdashboard")


def test_the_description_has_what_is_answered_and_taken(app):
    paths = json.loads(asgi.ask(app, "/openapi.json", method="GET").body)["paths"]
    assert str(asgi.ask(app, "/metrics", method="GET").status) in paths["/metrics"]["get"]["responses"]
    metas_own = {"data": [json.loads(EVENT)], "test_event_code": "TEST1", "access_token": "x", "upload_tag": "y"}
    assert asgi.ask(app, "/events", json.dumps(metas_own).encode(), authorization=KEY).status == 202
    kinds = paths["/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    (envelope,) = (kind for kind in kinds if "properties" in kind)
    assert envelope["additionalProperties"] or metas_own.keys() <= envelope["properties"].keys()


@pytest.mark.parametrize("path", ["/dashboard/sign-in", "/dashboard/sign-out"])
def test_of_a_form_that_anybody_may_send_no_more_is_read_than_a_form_of_ours_has(app, path):
    read, sent = [], []

    async def receive() -> dict:
        read.append(32_768)
        return {"type": "http.request", "body": b"a" * 32_768, "more_body": sum(read) < 20_000_000}

    async def send(message: dict) -> None:
        sent.append(message)

    told = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [], "scheme": "http"}
    asgi.run(app({**told, "client": ("198.51.100.7", 1)}, receive, send))
    assert sent[0]["status"] == 413 and sum(read) < 200_000
