"""A request that is here as a whole gets the answer that it would get by ASGI, after the commit, and once."""

import asyncio
import json
from concurrent.futures import Future

import pytest

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import Receipt
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.telemetry import Counters
from tests import asgi

TOLD = {
    "META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAx", "RELAY_API_KEYS": "key",
    "RELAY_ALLOWED_ORIGINS": "https://shop.example", "RELAY_SET_COOKIES": "1",
}  # fmt: skip
BACKEND = {"host": "x", "authorization": "Bearer key"}
PAGE = {"host": "relay.shop.example", "origin": "https://shop.example", "user-agent": "Mozilla/5.0"}
LEAD = {
    "event_name": "Lead", "event_id": "a", "event_time": 1, "action_source": "website",
    "event_source_url": "https://shop.example/", "user_data": {"email": "canary@example.org", "client_user_agent": "x"},
}  # fmt: skip


@pytest.fixture
def relay(tmp_path):
    with Relay(
        Settings.from_env({**TOLD, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}), clock=lambda: 5.0
    ) as relay:
        yield relay


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def by_asgi(relay, headers, body: bytes, counters):
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": body}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/events", "client": ("198.51.100.7", 1), "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip

    async def run() -> None:
        await create_app(relay, counters=counters)(scope, receive, send)
        await turns()

    asgi.run(run())
    lines = [b"%s: %s" % pair for pair in sent[0]["headers"] if pair[0] != b"content-length"]
    return sent[0]["status"], sorted(lines), sent[1]["body"]


def by_a_call(relay, headers, body: bytes, counters):
    async def run():
        whole, told = create_app(relay, counters=counters).whole[b"/events"], asyncio.get_running_loop().create_future()
        whole.take(whole.head(headers, "198.51.100.7", "http"), body, lambda *answer: told.set_result(answer))
        answer = await told
        await turns()
        return answer

    status, lines, answer, is_last = asgi.run(run())
    assert is_last == (b"connection: close" in lines)
    return status, sorted(lines.removesuffix(b"\r\n").split(b"\r\n")), answer


MANY = {"data": [{**LEAD, "event_id": f"many {n}"} for n in range(12)], "unread": 1}
REQUESTS = {
    "an event": (BACKEND, LEAD),
    "a page's event": (PAGE, LEAD),
    "a page's events": (PAGE, MANY),
    "events": (BACKEND, MANY),
    "a copy": (BACKEND, {"data": [LEAD, LEAD]}),
    "one that is refused": (BACKEND, {"data": [LEAD, {"event_name": "Lead"}]}),
    "all are refused": (PAGE, {"data": [{"user_data": {}}]}),
    "a report": (PAGE, {"data": [], "pixel": [["Lead", "b"]]}),
    "a report beside an event": (PAGE, {"data": [{**LEAD, "pixel": True}], "pixel": [["Lead", "b"]]}),
    "no events": (BACKEND, []),
    "no JSON": (BACKEND, "x"),
    "a stranger": ({"host": "x"}, LEAD),
    "another page": ({**PAGE, "origin": "https://other.example"}, LEAD),
    "compressed": ({**PAGE, "content-encoding": "gzip"}, LEAD),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_the_answer_the_outbox_and_the_counters_are_those_of_asgi(tmp_path, what):
    headers, body = REQUESTS[what]
    told, kept, counted = [], [], []
    for n, call in enumerate((by_asgi, by_a_call)):
        settings = Settings.from_env({**TOLD, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/{n}.db"})
        with Relay(settings, clock=lambda: 5.0) as relay:
            counters = Counters()
            told.append(call(relay, headers, json.dumps(body).encode(), counters))
            relay.outbox.probe()  # what a page reports is counted in a job that nobody waits for
            kept.append((relay.outbox.counts(), relay.outbox.deduplication()))
            # A moment is of the clock: it is there on both ways, and not the same.
            counted.append({what: 0 if "timestamp" in what[0] else n for what, n in counters.read().items()})
    for lines in (told[0][1], told[1][1]):  # an _fbp has a time and a number in it
        lines[:] = [line.partition(b"_fbp=")[0] for line in lines]
    assert told[0] == told[1] and kept[0] == kept[1] and counted[0] == counted[1]


def test_who_was_remembered_is_found_for_an_order_that_comes_whole(relay):
    facts = RequestFacts(fbp="fb.1.1596403881668.1116446470", client_user_agent="Mozilla/5.0")
    relay.remember("order 7", facts)
    order = {**LEAD, "event_name": "Purchase", "custom_data": {"order_id": "order 7", "value": 1, "currency": "EUR"}}
    assert by_a_call(relay, BACKEND, json.dumps(order).encode(), Counters())[0] == 202
    assert facts.fbp.encode() in relay.outbox.claim("1", 10, 60.0, 5.0).events[0].body


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [(None, 202, None), (OutboxUnavailable("full"), 503, "not_durable"), (ValueError("canary"), 500, "internal")],
)
def test_nothing_is_answered_before_the_commit_and_what_it_came_to_is_told(
    relay, monkeypatch, caplog, error, status, reason
):
    async def run() -> None:
        commit: Future[list[Receipt]] = Future()
        monkeypatch.setattr(type(relay), "put_soon", lambda self, events: commit)
        whole, told = create_app(relay).whole[b"/events"], []
        whole.take(whole.head(BACKEND, None, "http"), json.dumps(LEAD).encode(), lambda *answer: told.append(answer))
        await turns()
        assert told == []
        commit.set_exception(error) if error else commit.set_result([Receipt("a")])
        await turns()
        ((code, lines, body, is_last),) = told
        assert (code, json.loads(body).get("reason"), is_last) == (status, reason, status == 500)
        assert (b"retry-after" in lines) == (status == 503) and "canary" not in caplog.text

    asgi.run(run())


def test_a_network_that_sends_too_many_whole_requests_is_asked_to_wait(relay):
    async def run() -> set[int]:
        whole, statuses = create_app(relay).whole[b"/events"], []
        for _ in range(600):
            whole.take(whole.head(PAGE, "198.51.100.7", "http"), b"{}", lambda *answer: statuses.append(answer[0]))
        return set(statuses)

    assert asgi.run(run()) == {422, 429}
