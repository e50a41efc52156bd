"""Personal data leave intake through one function alone: the one that hashes.

Dynamic, with a marker for each key and member: Pysa follows no values through msgspec's Structs, which are made in C.
"""

import hashlib
import json
import logging

import pytest

from conversion_relay import Event, Rejection, Relay, RequestFacts, Settings
from conversion_relay.collector.metrics import render
from conversion_relay.delivery.transport import Response
from conversion_relay.delivery.turn import Delivery
from conversion_relay.intake.accept import Policy
from conversion_relay.intake.examine import examine
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.visit import visit_of
from conversion_relay.meta.customer_information import HASHED_KEYS, READABLE_NAMES, common, keys, user_data
from conversion_relay.telemetry import Counters
from tests.canary import MEMBERS

NOW = 1_795_435_200.0
# For each key: what comes in, and what of it the sealing function alone may see.
MARKED = {
    "em": ("Marked.Zq@Example.org", "marked.zq@example.org"),
    "ph": ("+1 (650) 555-0177", "16505550177"),
    "fn": ("Markedzq", "markedzq"),
    "ln": ("Markedzqson", "markedzqson"),
    "db": ("1987-03-19", "19870319"),
    "ge": ("female", "f"),
    "ct": ("Markedzqtown", "markedzqtown"),
    "st": ("markedzqshire", "markedzqshire"),
    "zp": ("ZQ98-7654", "zq987654"),
    "country": ("Andorra", "ad"),
    "external_id": ("Marked-Zq-4711", "marked-zq-4711"),
    "dobd": ("19", "19"),
    "dobm": ("03", "03"),
    "doby": ("1987", "1987"),
    "f5first": ("Markedzq", "marke"),
    "f5last": ("Markedzqson", "marke"),
    "fi": ("Markedzq", "m"),
}
NAMES = {"em": ["email", "em"], **{meta: [readable, meta] for readable, meta in READABLE_NAMES.items() if meta in {
    "ph", "fn", "ln", "ct", "st", "zp", "db", "ge"}}}  # fmt: skip
SHORT = {"ge", "country", "dobd", "dobm", "doby", "fi", "f5first", "f5last"}
"""Too short to be looked for in a file; that they were hashed is shown all the same."""


class Wire:
    """Meta, as far as it is needed: takes everything and keeps the bytes."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def send(self, request, deadline):
        self.bodies.append(request.body)
        return Response(200, {}, b'{"events_received": %d}' % request.body.count(b'"event_name"'))

    def close(self) -> None:
        pass


@pytest.fixture
def sealed(monkeypatch) -> list[str]:
    """What the sealing function was given."""
    given: list[str] = []
    seal = keys.digest

    def noted(text: str) -> str:
        given.append(text)
        return seal(text)

    def noted_bytes(text: bytes):
        given.append(text.decode())
        return hashlib.sha256(text)

    monkeypatch.setattr(keys, "digest", noted)
    monkeypatch.setattr(user_data, "sha256", noted_bytes)
    monkeypatch.setattr(common, "sha256", noted_bytes)
    return given


def test_a_marker_stands_for_every_hashed_key():
    assert MARKED.keys() == HASHED_KEYS


def test_a_match_key_is_seen_by_the_sealing_function_alone(sealed, tmp_path, caplog):
    documents = []
    for key, (value, _) in MARKED.items():
        for name in NAMES.get(key, [key]):
            person = {"external_id": "x1", "client_user_agent": "Mozilla/5.0"} | {name: value}
            documents.append({"event_name": "Lead", "user_data": person})
    seen = everything(documents, tmp_path, caplog).lower()
    for key, (value, normal) in MARKED.items():
        assert normal in sealed, key
        if key not in SHORT:
            assert value.lower().encode() not in seen and normal.encode() not in seen, key


def test_a_persons_member_of_a_free_object_is_seen_by_nobody(sealed, tmp_path, caplog):
    documents: list[dict] = []
    for place in ("custom_data", "attribution_data", "original_event_data", "app_data"):
        person = {"event_name": "Lead", "user_data": {"external_id": "x1"}}
        documents += [person | {place: {"deep": [{name: value}]}} for name, value in MEMBERS.items()]
    seen = everything(documents, tmp_path, caplog)
    for name, value in MEMBERS.items():
        for text in value.values() if isinstance(value, dict) else [value]:
            at = seen.find(str(text).encode())
            assert at < 0, (name, seen[at - 200 : at + 50])
    assert set(sealed) == {"x1"}


def everything(documents: list[dict], folder, caplog) -> bytes:
    """All bytes that come of these events, through each way in: told, kept, logged, counted, sent."""
    caplog.set_level(logging.DEBUG)
    wire, counters = Wire(), Counters()
    environ = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db"}
    settings, policy = Settings.from_env(environ), Policy(dataset="1")
    told = []
    with Relay(settings, transport=wire, clock=lambda: NOW) as relay:
        for document in documents:
            read = read_event(json.dumps(document).encode())
            assert isinstance(read, Event), read
            sealed = relay.seal(read)
            assert not isinstance(sealed, Rejection)
            told += [relay.track(read), relay.accept(read), relay.send([sealed]), examine(document, policy, NOW)]
            told.append(visit_of(RequestFacts(client_user_agent="Mozilla/5.0"), None, policy, NOW))
        Delivery(relay.outbox, wire, settings, counters=counters, clock=lambda: NOW).step()
        told += [relay.outbox.recent(100), render(counters, relay.outbox.counts(), {}, {}, NOW)]
        kept = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    logged = "".join(repr(record.__dict__) for record in caplog.records)
    assert len(wire.bodies) > len(documents)
    return b"".join([kept, *wire.bodies, "".join(map(repr, told)).encode(), logged.encode()])
