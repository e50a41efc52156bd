"""The same visitor checks out at the same shop on each framework: Meta must get the same event."""

import importlib
import json
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import pytest
from django.utils.functional import lazystr

from conversion_relay import Event, OutboxUnavailable, Relay, UserData
from conversion_relay.frameworks.asgi import lifespan
from conversion_relay.frameworks.page import event_tag, script_tag
from conversion_relay.relay.in_test import SETTINGS, collecting
from tests.asgi import ask, run
from tests.frameworks.shops import AGENT, FBP, HEADERS, load

CART = {"email": "jane@shop.example", "total": "9.50"}
PROXIED = {**HEADERS, "X-Forwarded-For": "203.0.113.9"}


def of_asgi(name: str):
    app = load(name).app

    def checkout(cart: dict[str, str], headers: dict[str, str]) -> tuple[int, str]:
        body = json.dumps({**cart, "total": float(cart["total"])}).encode()
        given = {name.replace("-", "_"): value for name, value in headers.items()}
        answer = ask(app, "/checkout", body, content_type="application/json", content_length=str(len(body)), **given)
        return answer.status, answer.body.decode()

    return checkout


def of_flask():
    client = load("flask_shop").app.test_client(use_cookies=False)

    def checkout(cart: dict[str, str], headers: dict[str, str]) -> tuple[int, str]:
        answer = client.post("/checkout", data=cart, headers=headers, environ_overrides={"REMOTE_ADDR": "198.51.100.7"})
        return answer.status_code, answer.text

    return checkout


def of_django():
    from django.test import Client

    client = Client(headers={}, REMOTE_ADDR="198.51.100.7")

    def checkout(cart: dict[str, str], headers: dict[str, str]) -> tuple[int, str]:
        answer = client.post("/checkout", cart, headers=headers)
        return answer.status_code, answer.content.decode()

    return checkout


@pytest.fixture
def collected(monkeypatch, django_shop):
    for name, value in {**SETTINGS, "RELAY_TRUSTED_PROXIES": "198.51.100.0/24"}.items():
        monkeypatch.setenv(name, value)
    from django.conf import settings
    from django.test import override_settings

    # Set anew, so that Django's Relay is one with these settings.
    with override_settings(CONVERSION_RELAY=dict(settings.CONVERSION_RELAY)), collecting() as events:
        yield events


SHOPS = {
    "FastAPI": lambda: of_asgi("fastapi_shop"),
    "Litestar": lambda: of_asgi("litestar_shop"),
    "Flask": of_flask,
    "Django": of_django,
}


@pytest.mark.parametrize("shop", SHOPS)
def test_a_purchase_carries_the_visitor_behind_the_proxy(collected, shop):
    status, _ = SHOPS[shop]()(CART, PROXIED)
    assert status in (200, 201)
    (event,) = collected.events
    person = event["user_data"]
    assert (person["client_ip_address"], person["client_user_agent"], person["fbp"]) == ("203.0.113.9", AGENT, FBP)
    assert event["event_source_url"] == "https://shop.example/cart"
    assert event["custom_data"]["value"] == 9.5 and event["event_id"].startswith("purchase_")
    assert "jane" not in json.dumps(event)
    (sealed,) = collected.sealed.values()
    assert sealed.consent == "granted"


@pytest.mark.parametrize("shop", SHOPS)
def test_a_visitor_whose_cookie_says_no_is_not_told_to_meta(collected, shop):
    status, page = SHOPS[shop]()(CART, {**HEADERS, "Cookie": f"_fbp={FBP}; marketing=denied"})
    assert status in (200, 201)
    assert collected.events == []
    assert "trackOnce" not in page


@pytest.mark.parametrize("shop", ["Flask", "Django"])
def test_the_page_gives_the_pixel_the_same_id(collected, shop):
    _, page = SHOPS[shop]()(CART, HEADERS)
    (event,) = collected.events
    assert f'MetaTracking.trackOnce("{event["event_id"]}", "Purchase", ' in page
    assert 'data-consent="required"' in page


def test_a_page_without_the_middleware_is_told_so():
    asgi = importlib.import_module("conversion_relay.frameworks.asgi")

    with pytest.raises(RuntimeError, match="add the middleware"):
        asgi.visitor(SimpleNamespace(scope={}))


def test_no_text_of_a_visitor_ends_the_script(collected):
    page = event_tag("Lead", "</script><script>alert(1)//", {"content_name": "<!--"})
    assert page.count("<") == 2 and page.endswith(");</script>")
    assert '"' not in script_tag('/x" onerror="alert(1)', "").removeprefix('<script src="').removesuffix('"></script>')


@pytest.mark.parametrize(
    ("value", "read"),
    [(lazystr("Shirt"), '"Shirt"'), (Decimal("9.5"), "9.5"), (Fraction(19, 2), "9.5"), (b"Shirt", '"Shirt"')],
    ids=["a lazy text", "Decimal", "Fraction", "bytes"],
)
def test_the_pixel_is_told_the_same_types_as_the_server(value, read):
    """`track` takes them: the page after it must not fail."""
    assert f'{{"content_name": {read}}}' in event_tag("Lead", "lead-1", {"content_name": value})
    assert f"trackOnce({json.dumps('17')}, " in event_tag("Lead", 17)


def test_an_application_that_starts_twice_in_one_process_keeps_events_each_time(tmp_path):
    """Each test of a shop opens a client of its own, whose lifespan ends with it."""
    environ = {**SETTINGS, "META_GRAPH_URL": "http://127.0.0.1:9", "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    relay = Relay.from_env(environ, deliver=True)

    async def lived(event_id: str):
        async with lifespan(relay)(None):
            lead = Event(event_name="Lead", event_id=event_id, user_data=UserData(email="jane@shop.example"))
            return (await relay.track_async(lead)).status, bool(relay._background)

    told = [run(lived("lead-1")), run(lived("lead-2"))]
    with collecting():
        told.append(run(lived("lead-3")))
    assert told == [("accepted", True), ("accepted", True), ("accepted", False)]
    assert run(lived("lead-2"))[0] == "duplicate" and run(lived("lead-3"))[0] == "accepted"
    with pytest.raises(OutboxUnavailable, match="closed"):
        relay.track(Event(event_name="Lead", user_data=UserData(email="jane@shop.example")))


def test_who_talks_over_a_websocket_is_known_and_its_address_is_no_page():
    from conversion_relay.frameworks.asgi import Conversions, visitor

    async def chat(scope, receive, send):
        lead = Event(event_name="Lead", event_id="lead-1", user_data=UserData(email="jane@shop.example"))
        await visitor(SimpleNamespace(scope=scope)).track_async(lead)

    headers = {"Host": "shop.example", **{name: value for name, value in HEADERS.items() if name != "Referer"}}
    scope = {
        "type": "websocket",
        "scheme": "wss",
        "path": "/chat",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("198.51.100.7", 1),
    }
    with Relay.testing() as relay:
        run(Conversions(chat, relay)(scope, None, None))
        (event,) = relay.events
    assert event["user_data"]["client_user_agent"] == AGENT and event["user_data"]["fbp"] == FBP
    assert "event_source_url" not in event


def test_a_dependency_of_a_websocket_has_the_visitor_too():
    """FastAPI hands a dependency that asks for a `Request` nothing there, and the connection would fail."""
    from fastapi import Depends, FastAPI, WebSocket

    from conversion_relay.frameworks.starlette import Conversions, Visitor, visitor

    app = FastAPI()

    @app.websocket("/chat")
    async def chat(socket: WebSocket, who: Visitor = Depends(visitor)) -> None:  # noqa: B008 - as FastAPI has it
        await who.track_async(
            Event(event_name="Lead", event_id="lead-1", user_data=UserData(email="jane@shop.example"))
        )
        await socket.close()

    headers = [(b"user-agent", AGENT.encode()), (b"cookie", f"_fbp={FBP}".encode())]
    scope = {"type": "websocket", "path": "/chat", "query_string": b"", "headers": headers, "subprotocols": []}
    sent = []

    async def send(message):
        sent.append(message["type"])

    async def receive():
        return {"type": "websocket.connect"}

    with Relay.testing() as relay:
        run(Conversions(app, relay)(scope, receive, send))
        assert [event["user_data"]["fbp"] for event in relay.events] == [FBP] and sent == ["websocket.close"]
