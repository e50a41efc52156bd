"""Who may look at the dashboard, what it sends along, and that no person and no secret is in it."""

import base64
import json
import re
from pathlib import Path

import pytest
from litestar import Litestar

from conversion_relay import dashboard
from conversion_relay.dashboard.routes import dashboard_routes
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.event import Event, UserData
from conversion_relay.relay import Relay
from conversion_relay.settings import Settings
from tests import asgi

PASSWORD, TOKEN, EMAIL = "a-password-canary", "EAAcanary", "canary.person@example.org"
PATHS = [
    *("/dashboard", "/dashboard/data", "/dashboard/event?id=lead-1", "/dashboard/keys", "/dashboard/events?q=lead-1"),
    *("/dashboard/life?id=lead-1", "/dashboard/dead", "/dashboard/dead.csv", "/dashboard/datasets"),
]
HERE = Path(dashboard.__file__).parent


class Looked:
    """The answer to one request, made without a network so that it can come from anywhere."""

    def __init__(self, app: Litestar, path: str, peer: str = "127.0.0.1", **headers: str) -> None:
        self.status, self.headers, self.body = 0, {}, b""
        path, _, query = path.partition("?")
        given = {"host": "127.0.0.1:8000"} | {k.replace("_", "-").lower(): v for k, v in headers.items()}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items() if value],
            "client": (peer, 50_000),
            "server": ("127.0.0.1", 8000),
        }
        asgi.run(app(scope, self.receive, self.send))

    async def receive(self) -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: dict) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")

    def json(self) -> dict | list:
        return json.loads(self.body)


@pytest.fixture
def opened(tmp_path):
    """Makes a relay with two events and its dashboard, with or without a password."""
    relays = []

    def make(password: str = "") -> Litestar:
        env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": TOKEN, "RELAY_ADMIN_PASSWORD": password}
        relay = Relay(Settings.from_env(env | {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}))
        relays.append(relay)
        person = UserData(email=EMAIL, phone="+16505551212", first_name="Canaria", client_ip_address="8.8.4.4")
        for event_id in ("lead-1", f"lead_{EMAIL}_2"):
            relay.track(Event(event_name="Lead", event_id=event_id, user_data=person))
        pace = PaceNow(30.0, "token", 0, 2, error_share=0.2, clock_skew_seconds=3_600.0)
        return Litestar(dashboard_routes(relay, lambda: {"1": pace}), openapi_config=None)

    yield make
    for relay in relays:
        relay.close()


@pytest.fixture
def app(opened) -> Litestar:
    return opened()


@pytest.fixture
def locked(opened) -> Litestar:
    return opened(PASSWORD)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("path", PATHS)
def test_without_a_password_this_machine_may_look(app, path):
    for host in ("127.0.0.1:8000", "localhost:8000", "localhost", "[::1]:8000"):
        assert Looked(app, path, host=host).status == 200
    assert Looked(app, path, peer="::1", host="[::1]:8000").status == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "request_of",
    [
        {"peer": "192.0.2.7"},
        {"peer": "10.0.0.5", "host": "localhost"},
        {"peer": "::ffff:192.0.2.7"},
        {"peer": ""},
        {"peer": "localhost"},
        {"host": "evil.example"},
        {"host": "evil.example:8000"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost.evil.example:8000"},
        {"host": "evil.example:127.0.0.1"},
        {"host": ""},
        {"x_forwarded_for": "192.0.2.7"},
        {"x_forwarded_for": "127.0.0.1"},
    ],
    ids=str,
)
def test_without_a_password_nobody_else_may_by_whatever_name_or_proxy(app, path, request_of):
    refused = Looked(app, path, **request_of)
    assert refused.status == 403 and b"lead-1" not in refused.body
    assert b"RELAY_ADMIN_PASSWORD" in refused.body, "it says what to do"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("user", ["", "admin", "Jürgen"])
def test_with_a_password_who_knows_it_may_look_from_anywhere(locked, path, user):
    answer = Looked(locked, path, peer="192.0.2.7", host="relay.example", authorization=basic(user, PASSWORD))
    assert answer.status == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic !!!",
        basic("admin", ""),
        basic("admin", PASSWORD + "x"),
        basic("admin", PASSWORD[:-1]),
        basic(PASSWORD, "admin"),
        basic("admin", PASSWORD).replace("Basic", "Bearer"),
        f"Basic {PASSWORD}",
        f"Bearer {PASSWORD}",
        PASSWORD,
    ],
)
def test_with_a_password_nobody_may_look_without_it_not_even_here(locked, path, authorization):
    refused = Looked(locked, path, authorization=authorization)
    assert refused.status == 401 and refused.headers["www-authenticate"].startswith("Basic ")
    assert b"lead-1" not in refused.body and PASSWORD.encode() not in refused.body


@pytest.mark.parametrize("path", PATHS)
def test_what_is_shown_is_kept_by_nobody_and_runs_no_foreign_script(app, path):
    headers = Looked(app, path).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
    assert headers["cache-control"] == "no-store"


def test_the_page_keeps_to_its_own_policy():
    for template in (HERE / "templates").glob("*.html"):
        page = template.read_text("utf-8")
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|\|\s*safe", page), "nothing inline"
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page), "nothing from elsewhere"
    for script in (HERE / "static").glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", script.read_text())


def test_the_books_the_pace_and_the_last_events_are_shown(app):
    shown = Looked(app, "/dashboard/data").json()
    (dataset,) = shown["datasets"]
    assert (dataset["dataset"], dataset["accepted"], dataset["pending"], dataset["imbalance"]) == ("1", 2, 2, 0)
    assert (dataset["parked_seconds"], dataset["why"]) == (30.0, "token")
    assert (dataset["clock_skew_seconds"], dataset["error_share"]) == (3_600.0, 0.2)
    assert len(shown["recent"]) == 2 and shown["dead"] == []
    assert dataset["accepted"] == sum(
        dataset[state] for state in ("pending", "leased", "delivered", "dead", "expired", "erased")
    )


@pytest.mark.parametrize("event_id", ["lead-2", "", "%00", "'%20OR%201=1--", "%F0%9F%98%80", "x" * 5_000])
def test_an_id_that_nobody_has_is_not_found(app, event_id):
    assert Looked(app, f"/dashboard/event?id={event_id}").status == 404
    assert Looked(app, "/dashboard/event").status == 404


def test_one_events_story_is_told(app):
    (story,) = Looked(app, "/dashboard/event?id=lead-1").json()
    assert (story["event_name"], story["event_id"], story["state"]) == ("Lead", "lead-1", "pending")


def test_no_person_and_no_secret_is_in_anything_that_is_shown(locked):
    here = {"authorization": basic("", PASSWORD)}
    ids = [row["event_id"] for row in Looked(locked, "/dashboard/data", **here).json()["recent"]]
    paths = [*PATHS, *(f"/dashboard/event?id={event_id}" for event_id in ids)]
    shown = b"".join(Looked(locked, path, **here).body for path in paths).decode().lower()
    assert "lead-1" in shown
    for canary in ("canary", "6505551212", "8.8.4.4", PASSWORD.lower()):
        assert canary not in shown
