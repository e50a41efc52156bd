"""What stands in an SQS message: whatever the events are, SQS takes it, and it reads back as it was written."""

import itertools
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.event import SealedEvent
from conversion_relay.outbox.sqs_message import MOST_BYTES, Kept, Message, encode, messages, read_message, stories_of
from tests.outbox.suite import NOW, sealed

SQS_TAKES = 262_144
TEXT = st.text(max_size=200)
EVENTS = st.lists(
    st.builds(
        SealedEvent,
        dataset=st.sampled_from(["1", "2", "3"]),
        event_name=st.sampled_from(["Lead", "Purchase", "Eigener Name \u2028"]),
        event_id=TEXT,
        event_time=st.integers(0, 2**33),
        expires_at=st.integers(0, 2**33),
        body=TEXT.map(str.encode) | st.integers(0, 120_000).map(lambda n: b"x" * n) | st.just(b'"\n' * 40_000),
        consent=st.sampled_from(["granted", None]),
    ),
    max_size=8,
)


def told(body: str) -> Message:
    message = read_message({"Body": body})
    assert message is not None
    return message


def flat(event: SealedEvent) -> tuple:
    return (event.event_name, event.event_id, event.event_time, event.expires_at, event.body, event.consent)


@given(EVENTS)
def test_every_event_is_in_one_message_of_its_dataset_as_it_was_and_in_order(events):
    written = [told(body) for body in messages(events, NOW)]
    for dataset in "123":
        kept = [kept for message in written if message.dataset == dataset for kept in message.events]
        fields = [(k.event_name, k.event_id, k.event_time, k.expires_at, k.body.encode(), k.consent) for k in kept]
        assert fields == [flat(event) for event in events if event.dataset == dataset]
        assert all(k.checksum == zlib.crc32(k.body.encode()) for k in kept)
    assert all(message.accepted_at == NOW for message in written)


@given(EVENTS)
def test_a_message_is_ascii_without_control_characters_and_no_larger_than_sqs_takes(events):
    for body in messages(events, NOW):
        assert body.isascii() and min(body) >= " "
        assert len(body) <= SQS_TAKES


def test_events_share_a_message_as_long_as_there_is_room():
    written = messages([sealed(str(n), body=b"x" * 1_000) for n in range(300)], NOW)
    sizes = [len(body) for body in written]
    assert len(written) == 2 and max(sizes) <= MOST_BYTES


def test_an_event_that_is_larger_than_a_message_stands_alone():
    written = messages([sealed("a"), sealed("large", body=b"x" * MOST_BYTES), sealed("b")], NOW)
    ids = [[kept.event_id for kept in told(body).events] for body in written]
    assert ["large"] in ids and sorted(itertools.chain(*ids)) == ["a", "b", "large"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "{}",
        '{"dataset":"1"}',
        '{"dataset":1,"accepted_at":1,"events":[]}',
        "\ufffd",
        "x" * 9,
    ],
)
def test_what_is_none_of_ours_is_not_read_and_has_no_story(body):
    assert read_message({"Body": body}) is None and stories_of({"Body": body}) == []


def test_a_message_of_a_later_version_is_read_as_far_as_it_is_known():
    document = json.loads(encode("1", NOW, [Kept("Lead", "a", 1, 2, 3, "{}")])) | {"colour": "red"}
    assert told(json.dumps(document)).events[0].event_id == "a"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, ("refused", None, None, None)),
        ({"reason": "expired"}, ("refused", "expired", None, None)),
        ({"reason": "meta_100", "meta_code": "100", "subcode": "33"}, ("refused", "meta_100", 100, 33)),
        (
            {"outcome": "ambiguous", "reason": "ambiguous_late", "meta_code": ""},
            ("ambiguous", "ambiguous_late", None, None),
        ),
        ({"reason": "moved", "meta_code": "E-7", "subcode": "²"}, ("refused", "moved", None, None)),
    ],
    ids=str,
)
def test_a_dead_letters_attributes_are_its_history(attributes, expected):
    message = {
        "Body": encode("1", NOW, [Kept("Lead", "a", 1, 2, 3, "{}"), Kept("Lead", "b", 1, 2, 3, "{}")]),
        "MessageAttributes": {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
        | {"of a tool": {"DataType": "Binary", "BinaryValue": "AA=="}},
        "Attributes": {"SentTimestamp": "1700000000500"},
    }
    stories = stories_of(message)
    assert [story.event_id for story in stories] == ["a", "b"]
    for story in stories:
        (said,) = story.history
        assert (said.outcome, said.why, said.code, said.subcode) == expected
        assert story.reason == expected[1] and story.settled_at == said.at == NOW + 0.5
