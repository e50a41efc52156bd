"""`validate` on an event as it stands in a file: its charset, its size, and how others write it."""

import json

import pytest

from conversion_relay.event import Rejection
from conversion_relay.intake.accept import Policy, Submission, accept
from conversion_relay.intake.event_document import MOST_EVENT_BYTES, MOST_PROPERTIES
from conversion_relay.intake.examine import examine, examine_bytes
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import RequestFacts
from tests.emulator.refused import GOOD, NOW, SHA

POLICY = Policy(dataset="1")
IN_LETTERS = json.dumps(GOOD | {"custom_data": {"a": "Café"}}, ensure_ascii=False)


def told(raw: bytes, severity: str = "error") -> list[tuple[str, str]]:
    return [(f.code, f.path) for f in examine_bytes(raw, POLICY, NOW) if f.severity == severity]


def is_accepted(raw: bytes) -> bool:
    event = read_event(raw)
    return not isinstance(event, Rejection) and not isinstance(
        accept(Submission(event=event), RequestFacts(), POLICY, now=NOW, entropy=bytes(10)), Rejection
    )


@pytest.mark.parametrize("more", [{"event_name": "Contact"}, {"event_name": "Purchase"}])
def test_an_event_as_text_is_judged_as_the_event_that_it_is(more):
    """Meta's SDKs send `data` as a list of JSON texts, and the door reads them."""
    plain = json.dumps(GOOD | more).encode()
    assert examine_bytes(json.dumps(plain.decode()).encode(), POLICY, NOW) == examine_bytes(plain, POLICY, NOW)


@pytest.mark.parametrize(
    ("custom_data", "code"),
    [
        ({"x": "a" * MOST_EVENT_BYTES}, "too_large"),
        ({f"x{n}": 1 for n in range(MOST_PROPERTIES + 1)}, "too_many_members"),
    ],
)
def test_what_the_door_finds_too_large_is_an_error(custom_data, code):
    raw = json.dumps(GOOD | {"custom_data": custom_data}).encode()
    assert told(raw) == [(code, "event")] and not is_accepted(raw)


@pytest.mark.parametrize(
    ("raw", "errors"),
    [
        (IN_LETTERS.encode("latin-1"), [("not_utf_8", "event")]),
        (json.dumps(GOOD | {"custom_data": {"a": float("nan")}}).encode(), [("not_a_number", "event")]),
        (json.dumps(GOOD | {"custom_data": {"a": float("-inf")}}).encode(), [("not_a_number", "event")]),
        (json.dumps(GOOD | {"custom_data": {"a": "x: NaN", "b": "\ud83d"}}).encode(), []),
        (json.dumps(GOOD | {"custom_data": {"a": 2**70}}).encode(), []),
        (IN_LETTERS.encode(), []),
    ],
    ids=["latin-1", "NaN", "Infinity", "NaN in a text", "a large number", "utf-8"],
)
def test_what_a_strict_reader_would_not_read_is_an_error(raw, errors):
    assert told(raw) == errors
    assert is_accepted(raw), "the relay mends it"


def test_a_name_that_could_not_be_read_says_what_to_do():
    raw = json.dumps(GOOD | {"event_name": "Café"}, ensure_ascii=False).encode("latin-1")
    refused = read_event(raw)
    assert isinstance(refused, Rejection) and "UTF-8" in refused.message


@pytest.mark.parametrize("number", ["1" * 400, "1" * 5_000, "NaN", "-Infinity", "1e400"])
def test_a_time_that_is_no_number_of_seconds_is_an_error(number):
    raw = json.dumps(GOOD | {"event_time": 0}).replace('"event_time": 0', f'"event_time": {number}').encode()
    assert "event_time" in {path for _, path in told(raw)}


TIMES = [
    (str(NOW), [], [("text_time", "event_time")], True),
    (f" {NOW}", [("not_seconds", "event_time")], [], True),
    (str(NOW * 1000), [("milliseconds", "event_time")], [("text_time", "event_time")], True),
    ("2026-11-26T00:00:00Z", [("not_seconds", "event_time")], [], True),
    ("2026-11-26 00:00", [("not_a_time", "event_time")], [], False),
    ("soon", [("not_a_time", "event_time")], [], False),
]


@pytest.mark.parametrize(("event_time", "errors", "hints", "accepted"), TIMES, ids=[row[0] for row in TIMES])
def test_a_time_as_text_is_told_as_meta_and_the_relay_take_it(event_time, errors, hints, accepted):
    raw = json.dumps(GOOD | {"event_time": event_time}).encode()
    ours = [row for row in told(raw, "hint") if row[1] == "event_time"]
    assert (told(raw), ours, is_accepted(raw)) == (errors, hints, accepted)


def test_other_spellings_of_metas_names_are_told_and_the_rest_is_judged():
    document = {
        "eventName": "Purchase",
        "eventTime": NOW,
        "actionSource": "website",
        "userData": {"email": "joe@example.com"},
        "customData": {"value": 5},
    }
    found = {(f.code, f.path): f.fix for f in examine(document, POLICY, NOW) if f.severity == "error"}
    assert found.keys() == {("other_spelling", name) for name in document} | {("missing_field", "custom_data.currency")}
    assert "event_name" in found["other_spelling", "eventName"]


@pytest.mark.parametrize(
    ("more", "path", "message", "fix"),
    [
        ({"user_data": {"em": [{"a": 1}]}}, "user_data.em[0]", "whole number or text, and is an object", "texts"),
        ({"user_data": {"em": SHA, "fbp": True}}, "user_data.fbp", "and is true or false", "send text"),
        ({"event_id": 5}, "event_id", "this must be text, and is a whole number", "page"),
        ({"user_data": {"em": [SHA, ""]}}, "user_data.em", "empty text", "leave it out"),
    ],
)
def test_a_wrong_type_is_told_in_words_with_its_place_and_a_remedy(more, path, message, fix):
    found = {f.path: f for f in examine(GOOD | more, POLICY, NOW) if f.severity == "error"}
    assert message in found[path].message and fix in found[path].fix


@pytest.mark.parametrize(
    ("more", "fix"),
    [
        ({"event_time": "soon"}, "send for example 1767225600 or 2026-01-01T00:00:00Z"),
        ({"colour": "red"}, "properties of your own go into custom_data"),
        ({"ad_user_data": "denied"}, 'send it as "consent": "denied", or leave it out'),
        ({"custom_data": {"x": json.loads("[" * 40 + "]" * 40)}}, "send flat properties"),
    ],
)
def test_a_remedy_is_told_once_and_apart_from_what_is_wrong(more, fix):
    (found,) = (f for f in examine(GOOD | more, POLICY, NOW) if f.severity == "error")
    assert found.fix == fix and fix not in found.message
