"""X-Relay-Policy: every answer to a page says what the server does about Global Privacy Control and about silence."""

import asyncio

import pytest

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from tests import asgi

PAGE = "https://shop.example"
GPC = {"limited_data_use": "limit", "withhold": "withhold", "ignore": "ignore"}
CONSENT = {"send": "optional", "limited_data_use": "limit", "withhold": "required"}
LEAD = b'{"event_name": "Lead", "user_data": {"email": "a@example.org"}}'
VIEW = b'{"content_data": {"content_name": "Kintsugi"}}'
BODIES = {"/view-content": VIEW, "/events": LEAD, "/visitors": b'{"key": "1001"}', "/withdraw": b'{"event_ids": ["a"]}'}


@pytest.fixture
def relay(tmp_path):
    opened = []

    def with_(**environment: str) -> Relay:
        told = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAA", "RELAY_ALLOWED_ORIGINS": PAGE}
        told["RELAY_OUTBOX"] = f"sqlite:///{tmp_path}/outbox.db"
        opened.append(Relay(Settings.from_env(told | environment)))
        return opened[-1]

    yield with_
    for relay in opened:
        relay.close()


def ask(relay: Relay, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str]]:
    answer = asgi.ask(create_app(relay), path, body, **headers)
    return answer.status, answer.headers


@pytest.mark.parametrize(("gpc", "said"), GPC.items())
def test_the_policy_on_global_privacy_control_is_told(relay, gpc, said):
    _, headers = ask(relay(RELAY_GPC=gpc), "/events", LEAD, origin=PAGE)
    assert headers["x-relay-policy"] == f"gpc={said}, consent=optional"


@pytest.mark.parametrize(("consent", "said"), CONSENT.items())
def test_the_policy_on_silence_is_told(relay, consent, said):
    _, headers = ask(relay(RELAY_CONSENT=consent), "/events", LEAD, origin=PAGE)
    assert headers["x-relay-policy"] == f"gpc=limit, consent={said}"


@pytest.mark.parametrize("path", BODIES)
def test_each_route_of_the_script_tells_it_and_the_page_may_read_it(relay, path):
    status, headers = ask(relay(), path, BODIES[path], origin=PAGE)
    assert (status // 100, headers["x-relay-policy"]) == (2, "gpc=limit, consent=optional")
    assert "X-Relay-Policy" in headers["access-control-expose-headers"]


@pytest.mark.parametrize("path", BODIES)
def test_a_refusal_tells_it_too(relay, path):
    opened = relay()
    for body, origin, status in ((b"x", PAGE, 400), (LEAD, "https://other.example", 403)):
        answer = ask(opened, path, body, origin=origin)
        assert (answer[0], "x-relay-policy" in answer[1]) == (status, True)


def test_a_request_that_goes_past_asgi_tells_the_same(relay):
    opened = relay(RELAY_GPC="withhold", RELAY_CONSENT="withhold")
    given = {"origin": PAGE, "host": "relay.example"}

    async def past_asgi() -> bytes:
        told = asyncio.get_running_loop().create_future()
        whole = create_app(opened).whole[b"/events"]
        whole.take(whole.head(given, "198.51.100.7", "http"), LEAD, lambda *answer: told.set_result(answer))
        return (await told)[1]

    lines = asgi.run(past_asgi())
    assert b"\r\nx-relay-policy: gpc=withhold, consent=required\r\n" in lines
    assert ask(opened, "/events", LEAD, origin=PAGE)[1]["x-relay-policy"] == "gpc=withhold, consent=required"


WRAPPERS = ["x-csrf-token, x-requested-with", "traceparent,sentry-trace", "content-type"]


@pytest.mark.parametrize("asked", WRAPPERS)
def test_a_page_may_give_its_requests_headers_of_its_own_and_its_cookies(relay, asked):
    """Its scripts wrap `fetch`; a browser then sends nothing that the answer to its question does not name."""
    asks = {"origin": PAGE, "access_control_request_headers": asked, "access_control_request_method": "POST"}
    answer = asgi.ask(create_app(relay()), "/events", b"", method="OPTIONS", **asks)
    named = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert (
        named >= {name.strip() for name in asked.split(",")} and answer.headers["access-control-allow-origin"] == PAGE
    )
    assert answer.headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize("asked", ["x\x00y", "x" * 1_001, "Ünicode", "a: b"])
def test_what_is_no_list_of_names_is_not_repeated(relay, asked):
    asks = {"origin": PAGE, "access_control_request_headers": asked}
    answer = asgi.ask(create_app(relay()), "/events", b"", method="OPTIONS", **asks)
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"


def test_a_page_that_is_not_listed_is_promised_nothing(relay):
    asks = {"origin": "https://evil.example", "access_control_request_headers": "x-csrf-token"}
    answer = asgi.ask(create_app(relay()), "/events", b"", method="OPTIONS", **asks)
    assert not [name for name in answer.headers if name.startswith("access-control-allow")]
