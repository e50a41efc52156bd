"""What a program gives by mistake, or in another library's types: a right event, or a sentence that says what to do."""

import collections
import datetime
import decimal
import enum
import fractions
import json
import threading
import types
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.utils.functional import lazystr

from conversion_relay import Content, CustomData, Event, InvalidEvent, Relay, RequestFacts, UserData, read_event
from conversion_relay.errors import OutboxUnavailable, SettingsError
from tests.asgi import run

JANE = UserData(email="jane@shop.example")
ENV = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x"}


class Scalar:
    """As numpy's are: a number by its special methods alone."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return float(self.value)


class Whole(Scalar):
    def __index__(self) -> int:
        return int(self.value)


class Float64(float):
    """numpy.float64 is a float, too."""


class bool_:
    """As numpy calls its own."""

    def __float__(self) -> float:
        return 1.0


class Stamp(datetime.datetime):
    """As pandas' Timestamp, pendulum's DateTime, and freezegun's in the tests of a shop."""


class Day(datetime.date):
    """As freezegun's."""


class Octets(bytes):
    """As numpy's bytes_."""


class Safe(str):
    """As Django's SafeString."""


class Currency(enum.StrEnum):
    EUR = "EUR"


@pytest.fixture
def relay(tmp_path):
    with Relay.from_env(ENV | {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}) as relay:
        yield relay


def tracked(**members):
    """What Meta would get."""
    with Relay.testing() as relay:
        relay.track(Event(**{"event_name": "Lead", "event_id": "lead-1", "user_data": JANE} | members))
        (event,) = relay.events
    return event


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (decimal.Decimal("9.50"), 9.5),
        (fractions.Fraction(19, 2), 9.5),
        (Float64(9.5), 9.5),
        (Scalar(9.5), 9.5),
        (Whole(9), 9),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("form", [CustomData, dict])
def test_a_number_of_another_library_is_a_number(value, sent, form):
    assert tracked(custom_data=form(value=value, currency=Currency.EUR))["custom_data"] == {
        "value": sent,
        "currency": "EUR",
    }


def test_what_has_the_form_of_a_right_member_is_one():
    order = uuid.UUID(int=7)
    assert tracked(event_id=order)["event_id"] == str(order)
    assert tracked(event_id=17)["event_id"] == "17"
    assert tracked(event_id=Safe("order-1"))["event_id"] == "order-1"
    plain = tracked()["user_data"]
    assert tracked(user_data={"email": "jane@shop.example"})["user_data"] == plain
    assert tracked(user_data={"em": Safe("jane@shop.example")})["user_data"] == plain
    assert tracked(user_data=UserData(email=("jane@shop.example",)))["user_data"] == plain
    born = tracked(user_data=UserData(email="jane@shop.example", date_of_birth="19800203"))
    for day in (datetime.date(1980, 2, 3), Day(1980, 2, 3), Stamp(1980, 2, 3)):
        assert tracked(user_data=UserData(email="jane@shop.example", date_of_birth=day)) == born
    mappings = (types.MappingProxyType, collections.UserDict, collections.ChainMap)
    for mapping in mappings:
        asked = tracked(user_data=mapping({"email": "jane@shop.example"}), custom_data=mapping({"plan": "gold"}))
        assert (asked["user_data"], asked["custom_data"]) == (plain, {"plan": "gold"})
    now = datetime.datetime.now(datetime.UTC)
    for form in (datetime.datetime, Stamp):
        assert tracked(event_time=form.now(datetime.UTC))["event_time"] >= int(now.timestamp())
    assert tracked(event_time=Whole(now.timestamp()))["event_time"] == int(now.timestamp())
    bought = CustomData(contents=[Content(id=Whole(5), quantity=Whole(2), item_price=Scalar(1.5))])
    assert tracked(custom_data=bought)["custom_data"]["contents"] == [{"id": 5, "quantity": 2, "item_price": 1.5}]


@pytest.mark.parametrize("form", [CustomData, dict])
def test_a_tuple_is_a_list_wherever_it_stands(form):
    bought = form(value=5, currency="EUR", contents=({"id": "5", "quantity": 2},), content_ids=("5", b"6"))
    sent = tracked(custom_data=bought)["custom_data"]
    assert sent["contents"] == [{"id": "5", "quantity": 2}] and sent["content_ids"] == ["5", "6"]


@pytest.mark.parametrize("text", [lazystr, collections.UserString], ids=["Django's", "UserString"])
def test_a_text_that_is_made_when_it_is_read_is_a_text(text):
    """A shop names its products in the visitor's language, and the Purchase must not fail for that."""
    assert tracked(custom_data={"content_name": text("Shirt")})["custom_data"] == {"content_name": "Shirt"}
    assert tracked(custom_data=CustomData(content_name=text("Shirt")))["custom_data"] == {"content_name": "Shirt"}
    assert tracked(event_name=text("Contact"))["event_name"] == "Contact"
    assert tracked(user_data=UserData(email=text("jane@shop.example")))["user_data"] == tracked()["user_data"]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, Octets])
def test_bytes_are_the_text_that_they_are_and_nothing_else(kind):
    """They were hashed as base64, which is nobody's id."""
    person = {"external_id": ["17"], "email": "jane@shop.example"}
    as_bytes = UserData(external_id=[kind(b"17")], email=kind(b"jane@shop.example"))
    assert tracked(user_data=as_bytes)["user_data"] == tracked(user_data=UserData(**person))["user_data"]
    for form in (dict, CustomData):
        assert tracked(custom_data=form(content_name=kind(b"caf\xc3\xa9")))["custom_data"] == {"content_name": "café"}
    with pytest.raises(InvalidEvent, match=r"user_data\.external_id: a value has no JSON form"):
        tracked(user_data=UserData(external_id=b"\xff"))


def test_half_a_sign_and_two_megabytes_are_no_exception():
    assert tracked(custom_data={"content_name": "caf\ud800"})["custom_data"] == {"content_name": "caf\ufffd"}
    assert "custom_data" not in tracked(custom_data=CustomData(content_name="x" * 2_000_000))
    assert len(json.dumps(tracked(event_source_url="https://shop.example/\ud800"))) < 1_000
    with pytest.raises(InvalidEvent, match="event_id: names and ids are printable"):
        tracked(event_id="lead\ud800")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"event_time": datetime.datetime(2026, 11, 27)}, "event_time: .* with a time zone"),  # noqa: DTZ001
        ({"event_time": datetime.date(2026, 11, 27)}, "event_time: .* with a time zone"),
        ({"event_name": None}, "event_name: "),
        ({"custom_data": {"value": bool_(), "currency": "EUR"}}, r"custom_data\.value: an amount"),
        ({"custom_data": {"value": object()}}, r"custom_data\.value: a value has no JSON form"),
        ({"custom_data": CustomData(value=object())}, r"custom_data\.value: a value has no JSON form"),
        ({"custom_data": {"contents": (one for one in ())}}, r"custom_data\.contents: a value has no JSON form"),
        ({"user_data": {"email": object()}}, r"user_data\.email: a value has no JSON form"),
        ({"user_data": object()}, "user_data: a value has no JSON form"),
        ({"event_id": object()}, "event_id: a value has no JSON form"),
        ({"custom_data": CustomData(value=decimal.Decimal("NaN"), currency="EUR")}, r"custom_data\.value: an amount"),
    ],
    ids=range(11),
)
def test_what_can_be_no_event_is_refused_by_the_name_of_its_member(members, said):
    with pytest.raises(InvalidEvent, match=said) as refused:
        tracked(**members)
    assert "object at" not in str(refused.value)


class TestOfTheRelay:
    @pytest.mark.parametrize(
        ("call", "said"),
        [
            (lambda relay: Relay(ENV), "takes Settings, not dict; Relay.from_env"),
            (lambda relay: Relay.from_env("META_PIXEL_ID=1"), "takes a mapping such as os.environ"),
            (lambda relay: relay.track({"event_name": "Lead"}), "takes an Event, not dict"),
            (
                lambda relay: relay.track(Event(event_name="Lead", user_data=JANE), {}),
                "facts are RequestFacts, not dict",
            ),
            (
                lambda relay: relay.track(Event(event_name="Lead", user_data=JANE), sender="shop"),
                "one of browser, backend",
            ),
            (
                lambda relay: relay.seal('{"event_name": "Lead"}'),
                "takes an Event, or the JSON of one as bytes, not str",
            ),
            (lambda relay: relay.track_many(Event(event_name="Lead", user_data=JANE)), "track takes one"),
            (lambda relay: relay.remember(None, RequestFacts()), "not NoneType: the order's id"),
            (lambda relay: relay.remember("17", None), "facts are RequestFacts, not NoneType"),
            (lambda relay: relay.facts_of(True), "not bool: the order's id"),
        ],
        ids=range(10),
    )
    def test_a_wrong_type_is_told_at_the_call(self, relay, call, said):
        with pytest.raises(TypeError, match=said):
            call(relay)

    @pytest.mark.parametrize("value", [None, 1, ["x"]], ids=lambda value: type(value).__name__)
    def test_a_setting_of_another_type_is_told_by_its_name(self, value):
        with pytest.raises(SettingsError, match=f"META_ACCESS_TOKEN: a text .* not {type(value).__name__}"):
            Relay.from_env(ENV | {"META_ACCESS_TOKEN": value})

    @pytest.mark.parametrize(
        ("module", "is_open", "is_kept"),
        [("gevent.thread", True, False), ("gevent.thread", False, True), ("a_profiler", True, True)],
    )
    def test_greenlets_do_not_wait_for_an_outbox_from_before_the_patch(
        self, relay, monkeypatch, module, is_open, is_kept
    ):
        """They hung, all of them: under `gunicorn -k gevent --preload`, which patches after the fork."""
        lead = Event(event_name="Lead", event_id="lead-1", user_data=JANE)
        if is_open:
            relay.track(lead)
        real = threading.Lock

        def replaced():
            return real()

        replaced.__module__ = module
        monkeypatch.setattr(threading, "Lock", replaced)
        if is_kept:
            assert relay.track(lead).is_durable
        else:
            with pytest.raises(OutboxUnavailable, match="patch before the Relay is made"):
                relay.track(lead)

    def test_an_event_that_was_read_may_be_changed_before_it_is_tracked(self, relay):
        """Where something had been left out of it, another library's types in it were an error from the depths."""
        read = read_event(b'{"event_name": "Lead", "user_data": {"email": "jane@shop.example", "shoe": 43}}')
        read.event_id, read.custom_data = uuid.UUID(int=7), CustomData(value=decimal.Decimal("9.50"), currency="EUR")
        with relay.testing() as collected:
            told = relay.track(read)
            (sent,) = collected.events
        assert told.dropped == ("user_data.shoe: no such member here",)
        assert (sent["event_id"], sent["custom_data"]) == (str(uuid.UUID(int=7)), {"value": 9.5, "currency": "EUR"})

    def test_a_class_made_of_event_is_read_like_an_event(self, relay):
        class OfAShop(Event):
            shop: str = "north"

        with relay.testing() as collected:
            relay.track(OfAShop(event_name="Lead", event_id=7, user_data={"email": b"jane@shop.example"}))
            (sent,) = collected.events
        assert (sent["event_id"], sent["user_data"]) == ("7", tracked()["user_data"])

    def test_a_loop_that_is_not_asyncios_is_told_before_anything_is_kept(self, relay):
        """Under trio the event was kept, and who tracked it heard of a thread without a loop, and tried again."""
        lead = Event(event_name="Lead", event_id="lead-1", user_data=JANE)
        asked = relay.track_async(lead)
        # In a thread of its own: Playwright's loop may run in this one.
        with (
            ThreadPoolExecutor(1) as pool,
            pytest.raises(RuntimeError, match=r"loop of asyncio.*nothing was kept.*trio\.to_thread\.run_sync"),
        ):
            pool.submit(asked.send, None).result()
        assert relay.track(lead).status == "accepted"

    def test_one_dataset_may_be_named_without_a_list(self, relay):
        assert relay.track(Event(event_name="Lead", user_data=JANE), datasets="1").status == "accepted"

    def test_a_generator_of_events_is_tracked(self, relay):
        told = relay.track_many(Event(event_name="Lead", event_id=n, user_data=JANE) for n in range(3))
        assert [one.status for one in told] == ["accepted"] * 3

    def test_a_closed_one_says_so_to_whatever_is_asked_of_it(self, relay):
        lead = Event(event_name="Lead", user_data=JANE)
        relay.track(lead)
        relay.close()
        calls = (
            lambda: relay.track(lead),
            lambda: relay.track_many([lead]),
            lambda: run(relay.track_async(lead)),
            lambda: relay.remember("17", RequestFacts()),
            relay.start_delivery,
        )
        for call in calls:
            with pytest.raises(OutboxUnavailable, match="closed"):
                call()
