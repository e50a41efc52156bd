"""An event that is read in one step says what the careful way says, alone in its body or not."""

import json

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversion_relay.event import Event, Rejection
from conversion_relay.intake.common_event import CommonEvent, as_event, read_alone, read_common
from conversion_relay.intake.reading import Submitted, read_body, read_event
from conversion_relay.intake.request_facts import NO_FACTS
from tests.intake.test_at_a_look import EVENTS, PLAIN, POLICY, answer, both, with_
from tests.intake.test_free_form import ANY, WHOLE
from tests.intake.test_reading import JSON, LEAD, MEMBERS, texts

ALONE = [
    *(before + LEAD + after for before in (b"", b" ", b"[", b'{"data":[') for after in (b"", b" ", b"]", b"]}")),
    b"\xef\xbb\xbf" + LEAD,
    b'{"event_name":"Lead","event_name":"Contact"}',
    b'{"event_name":"a\xff"}',
]


@given(
    body=st.one_of(
        st.binary(max_size=40),
        st.dictionaries(MEMBERS, JSON, max_size=4).map(lambda found: json.dumps({"event_name": "a", **found}).encode()),
        st.sampled_from(ALONE),
    )
)
def test_an_event_that_comes_alone_is_read_as_by_the_long_way(body):
    if event := read_alone(body):
        submitted = read_body(body)
        assert submitted == Submitted(submitted.events) and texts(submitted.events) == [body]
        assert read_event(submitted.events[0]) == as_event(event)


def test_an_event_that_is_written_as_it_should_be_is_read_at_once_and_a_large_one_is_looked_at():
    assert as_event(read_alone(LEAD)) == read_event(LEAD)
    assert read_alone(b'{"event_name":"Lead","custom_data":{"a":[' + b"1," * 40_000 + b"1]}}") is None


def encoded(members: dict) -> bytes | None:
    """As it comes; None for what has no form in JSON."""
    try:
        return msgspec.json.encode(members)
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError):
        return None


def in_order(given: object) -> object:
    """What was left out is told in the order of the members, which a common event has in one of its own."""
    if isinstance(given, Rejection):
        said, _, left_out = given.message.partition("; left out: ")
        return given.reason, given.field, said, sorted(left_out.split(", "))
    return (*given[:2], sorted(given[2]), sorted(given[3])) if isinstance(given, tuple) else given


@settings(max_examples=200)
@given(EVENTS)
@example({"event_name": "Lead", "custom_data": {"num_items": 0, "contents": [], "content_name": "", "value": 0.0}})
@example({"event_name": "Lead", "custom_data": {"contents": [{"id": "a", "quantity": 1, "item_price": 0}]}})
@example({"event_name": "Purchase", "custom_data": {}, "event_id": "a"})
@example({"event_name": "Lead", "custom_data": {"contents": [{"id": "joe@example.com"}], "currency": "0049301234567"}})
def test_it_is_the_same_event_and_leaves_the_door_as_the_same(members):
    if (raw := encoded(members)) is None:
        return
    common, event = read_common(raw), read_event(raw)
    if not isinstance(event, Event):
        assert common == event
        return
    assert as_event(common) == event
    if type(common) is CommonEvent:
        quick, careful = both(common)
        assert quick == careful and in_order(quick) == in_order(answer(event, NO_FACTS, POLICY, "backend"))


@settings(max_examples=100)
@given(WHOLE | ANY)
@example({"value": 5, "currency": " usd ", "content_ids": ["a", 5], "contents": [{"id": "a"}], "status": True})
@example({"content_name": "joe@example.com", "contents": [{"id": "a", "title": "+1 650 555 1212"}]})
@example({"content_name": "joe[at]example[dot]com", "contents": [{"id": "a"}]})
@example({"content_name": "{", "content_ids": [], "order_id": 10**17})
def test_so_it_does_whatever_its_custom_data_is(custom):
    if (raw := encoded(msgspec.to_builtins(with_(custom_data=custom)))) is None:
        return
    common, event = read_common(raw), read_event(raw)
    quick, careful = both(common)
    assert quick == careful and in_order(quick) == in_order(answer(event, NO_FACTS, POLICY, "backend"))


def test_most_events_are_such_and_keep_what_their_sender_wrote():
    common = read_common(msgspec.json.encode(PLAIN))
    assert type(common) is CommonEvent and as_event(common) == PLAIN
    assert type(read_common(b'{"event_name":"Lead","custom_data":{"plan":"gold"}}')) is Event
