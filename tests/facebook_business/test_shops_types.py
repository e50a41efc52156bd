"""The types that shops pass: NumPy's numbers, bytes, generators, sets, the SDK's own classes. A member of a type that
nobody can read is left out and named; the event, its neighbours and the visitor's wish stay."""

import random
import time
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum

import pytest

from conversion_relay import InvalidEvent
from conversion_relay import facebook_business as shim
from tests.facebook_business.test_shim import THEIRS, both, collected

__all__ = ["THEIRS", "collected"]

SECRET = "jane.doe@shop.example"


class Index:
    """As numpy.int64."""

    def __index__(self) -> int:
        return 16505551212


class Scalar:
    """As numpy.float32: no float, but it knows itself as one."""

    def tolist(self) -> float:
        return 9.5


class Stamp(datetime):
    """As pandas' Timestamp."""


class Cents(Decimal):
    """A shop's own."""


class Hostile:
    """Each of its methods raises, with a person in the text."""

    def _raise(self, *_: object) -> None:
        raise RuntimeError(SECRET)

    __str__ = __repr__ = __eq__ = __bool__ = __iter__ = __len__ = __hash__ = __index__ = __float__ = _raise  # type: ignore[assignment]


class HostileList(list):
    def __iter__(self):
        raise RuntimeError(SECRET)


class Currency(Enum):
    EUR = b"EUR"


def deep() -> list:
    outer: list = []
    inner = outer
    for _ in range(5_000):
        inner.append([])
        (inner,) = inner
    return outer


def person(**members):
    (event,) = shim.EventRequest("1", [shim.Event("Lead", user_data=shim.UserData(**members))]).normalize()
    return event["user_data"]


@pytest.mark.parametrize(
    ("member", "odd", "plain"),
    [
        ("phone", Index(), "16505551212"),
        ("phone", 16505551212, "+1 650 555 1212"),
        ("email", SECRET.encode(), SECRET),
        ("emails", bytearray(SECRET.encode()), SECRET),
        ("external_id", b"7", "7"),
        ("external_id", memoryview(b"7"), 7),
        ("emails", {SECRET: 1}.keys(), SECRET),
        ("emails", (text for text in (SECRET, "a@b.example", SECRET)), [SECRET, "a@b.example"]),
        ("email", [SECRET, SECRET.upper()], SECRET),
    ],
)
def test_a_value_of_another_type_has_the_hash_of_its_text(collected, member, odd, plain):
    assert person(**{member: odd}) == person(**{member: plain})


def test_numbers_and_names_of_other_types_arrive(collected):
    custom = shim.CustomData(value=Scalar(), currency=Currency.EUR, content_ids=(x for x in "ab"), num_items=Index())
    custom.contents = (shim.Content(product_id=Index(), quantity=n) for n in (1, 2))
    request = shim.EventRequest("1", (shim.Event("Lead", user_data=shim.UserData(external_id=n)) for n in "12"))
    request.events.append(shim.Event("Purchase", user_data=shim.UserData(external_id=3), custom_data=custom))
    first = request.normalize()[2]["custom_data"]
    assert first["value"] == 9.5 and first["currency"] == "EUR" and first["content_ids"] == ["a", "b"]
    assert [line["quantity"] for line in first["contents"]] == [1, 2]
    assert request.normalize()[2]["custom_data"] == first, "a generator is asked once"
    assert request.execute().events_received == 3


@pytest.mark.parametrize(
    "form", [Decimal, Cents, lambda at: Stamp.fromtimestamp(at, UTC)], ids=["Decimal", "its own", "Stamp"]
)
def test_a_moment_as_a_database_gives_it(collected, form):
    """PostgreSQL's `extract(epoch from ...)` is a Decimal, pandas' a Timestamp; they were refused."""
    at = int(time.time()) - 60
    (event,) = shim.EventRequest(
        "1", [shim.Event("Lead", event_time=form(at), user_data=shim.UserData(external_id="7"))]
    ).normalize()
    assert event["event_time"] == at


UNREADABLE = {
    "hostile": Hostile(),
    "class": Hostile,
    "object": object(),
    "huge": 10**5_000,
    "bytes": b"\xff",
    "deep": deep(),
    "list": HostileList("a"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_nobody_can_read_is_left_out_and_named(collected, kind):
    odd = UNREADABLE[kind]
    event = shim.Event("Lead", user_data=shim.UserData(external_id="7", email=odd))
    event.custom_data = shim.CustomData(value=odd, currency="EUR", contents=[odd, shim.Content("p", 1, odd)])
    event.custom_data.add_custom_property("mine", odd)
    response = shim.EventRequest("1", [event]).execute()
    assert response.events_received == 1 and SECRET not in repr((response, event, event.custom_data))
    for path in ("user_data.email", "custom_data.value", "custom_data.contents.item_price", "custom_data.mine"):
        assert any(path in message for message in response.messages), (path, response.messages)
    (sent,) = [event for event in collected.events if event["event_name"] == "Lead"]
    assert sent["custom_data"]["currency"] == "EUR" and sent["custom_data"]["contents"][-1]["id"] == "p"


def test_a_wish_that_cannot_be_read_is_the_strictest(collected):
    (event,) = shim.EventRequest(
        "1", [shim.Event("Lead", opt_out=Hostile(), data_processing_options=Hostile(), user_data={"external_id": 7})]
    ).normalize()
    assert event["opt_out"] is True and event["data_processing_options"] == ["LDU"]


def test_a_foreign_event_or_request_costs_its_neighbours_nothing(collected):
    """A half-switched shop: some imports are the SDK's still."""
    theirs = both("event")[1]("Lead", event_time=1_795_700_000)
    good = shim.Event("Lead", user_data=shim.UserData(external_id="7"))
    context = shim.Event("Lead", user_data=shim.UserData(external_id="8"))
    context.set_request_context({"type": "http", "headers": 5})
    response = shim.EventRequest("1", [theirs, None, Hostile(), context, good]).execute()
    assert response.events_received == 1
    assert all("an Event of conversion_relay.facebook_business" in message for message in response.messages[:3])
    assert "request_context" in response.messages[3]


@pytest.mark.parametrize("events", ["Lead", 5, {"event_name": "Lead"}, shim.Event("Lead"), b"x", Hostile])
def test_events_that_are_no_list_are_the_callers_error(events):
    for make in (shim.EventRequest, lambda _, found: shim.BatchProcessor().process_events(empty(), found)):
        with pytest.raises(TypeError, match="events: a list of Event"):
            make("1", events)


def empty() -> shim.EventRequestAsync:
    return shim.EventRequestAsync("1", [])


def test_misuse_is_said_in_the_members_name():
    with pytest.raises(TypeError, match="pixel_id"):
        shim.EventRequest(Hostile(), [])
    with pytest.raises(TypeError, match="preference"):
        shim.Event("Lead").set_request_context({}, Hostile())
    with pytest.raises(ValueError, match="batch_size"):
        shim.BatchProcessor(0)
    with pytest.raises(TypeError, match="key"):
        shim.CustomData().add_custom_property(Hostile(), 1)


POOL = [Index(), Scalar(), Hostile(), Currency.EUR, None, True, "", "+", "\ud800", "x" * 50_000, 7, -1.5, 10**400]
POOL += [SECRET, b"a", date(1997, 2, 16), [], {}, {"a": {1}}, ["a", None], HostileList("a"), shim.Gender.MALE, SECRET]


def test_no_mixture_of_types_raises_or_names_a_person(collected, caplog):
    chance = random.Random(30)

    def some(shape, skip=()):
        names = [one.name for one in fields(shape) if one.init and one.name not in skip]
        return shape(**{name: chance.choice(POOL) for name in chance.sample(names, 5)})

    for _ in range(400):
        custom = some(shim.CustomData)
        custom.contents = chance.choice([[some(shim.Content), chance.choice(POOL)], some(shim.Content)])
        event = some(shim.Event, ("event_name", "user_data", "custom_data"))
        event.event_name, event.user_data, event.custom_data = "Lead", some(shim.UserData), custom
        try:
            told = "".join(shim.EventRequest("1", [event]).execute().messages)
        except InvalidEvent as refused:
            told = str(refused)
        for text in (told, repr(event), repr(custom), repr(event.user_data), caplog.text):
            assert SECRET not in text
