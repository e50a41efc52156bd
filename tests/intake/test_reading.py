"""From bytes to events: any bytes give events or a sentence about a field; a bad event costs the others nothing."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.event import Event, Rejection
from conversion_relay.intake.event_document import MOST_EVENT_BYTES, MOST_PROPERTIES
from conversion_relay.intake.reading import (
    MOST_EVENTS,
    MOST_REPORTED,
    Submitted,
    printable_name,
    read_body,
    read_event,
    read_events,
    read_lines,
)

LEAD = b'{"event_name":"Lead"}'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.sampled_from([*sorted(Event.__struct_fields__), "data", "pixel", "évènement"])


def texts(events) -> list[bytes]:
    return [bytes(raw) for raw in events]


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (LEAD, [LEAD]),
        (b" \r\n" + LEAD + b"\n", [b" \r\n" + LEAD + b"\n"]),
        (b"[" + LEAD + b"]", [LEAD]),
        (b"[" + LEAD + b",1,null]", [LEAD, b"1", b"null"]),
        (b"\xef\xbb\xbf" + LEAD, [LEAD]),
        (b"[" + LEAD + b",]", [LEAD]),
        (b"[" + LEAD + b',{"a":NaN}, "\\ud83d" ,-]', [LEAD, b'{"a":NaN}', b'"\\ud83d"', b"-"]),
        (b'{"data":[' + LEAD + b',{"a":Infinity}], "upload_tag": "\xff"}', [LEAD, b'{"a":Infinity}']),
        (b'{"data":"[{\\"event_name\\":\\"Lead\\"}]"}', [LEAD]),
        (json.dumps(f"[{LEAD.decode()}]").encode(), [LEAD]),
        (b'{"data":[' + LEAD + b"]}", [LEAD]),
        (b'{"data":[],"pixel":[["Lead","a"]]}', []),
        (b'{"data":' + LEAD + b"}", [LEAD]),
        (b'{"data":{"1":' + LEAD + b',"3":' + LEAD + b"}}", [LEAD, LEAD]),
        (b'{"0":' + LEAD + b',"2":' + LEAD + b"}", [LEAD, LEAD]),
        (LEAD + b"\n" + LEAD + b"\r\n\n" + LEAD + b"\n", [LEAD, LEAD, LEAD]),
        (LEAD + b'\n{"event_na\n' + LEAD, [LEAD, b'{"event_na', LEAD]),
        (b'{"pixel":[],"data":[' + LEAD + b"]}", [LEAD]),
        ('{"event_name":"\u2028Töpfern"}'.encode(), ['{"event_name":"\u2028Töpfern"}'.encode()]),
    ],
)
def test_one_event_an_array_and_metas_own_form_are_the_same_to_us(body, events):
    assert texts(read_body(body).events) == events


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        (b"", "unreadable", "body"),
        (b"  ", "unreadable", "body"),
        (b"null", "unreadable", "body"),
        (b'"Lead"', "unreadable", "body"),
        (b"event_name=Lead", "unreadable", "body"),
        (b"[" + LEAD, "unreadable", "body"),
        (b"[]", "no_events", "data"),
        (b'{"data":[]}', "no_events", "data"),
        (b'{"data":{}}', "wrong_type", "data"),
        (b'{"data":null}', "wrong_type", "data"),
        (b'{"data":[],"b":1,"access_token":"EAA"}', "no_events", "data"),
        (b'{"data":"[]"}', "no_events", "data"),
        (b'{"data":"joe"}', "wrong_type", "data"),
        (b'[{"event_name":"Lead},{"event_name":"Lead"}]', "unreadable", "body"),
        (b'{"data":[],"pixel":{}}', "wrong_type", "pixel"),
        (b'{"data":[],"pixel":[["Lead"]]}', "wrong_type", "pixel[0]"),
        (b'{"data":[],"pixel":[["","a"]]}', "wrong_type", "pixel[0][0]"),
        (b'{"data":[],"pixel":[["Lead",5]]}', "wrong_type", "pixel[0][1]"),
        (b"[" + b"[" * 100_000, "unreadable", "body"),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else value,
)
def test_a_body_that_holds_no_events_is_refused_with_a_field(body, reason, field):
    refused = read_body(body)
    assert isinstance(refused, Rejection) and (refused.reason, refused.field) == (reason, field)
    assert "EAA" not in refused.message


FORMS = {
    "array": lambda n: b"[" + b",".join([LEAD] * n) + b"]",
    "data": lambda n: b'{"data":[' + b",".join([LEAD] * n) + b"]}",
    "lines": lambda n: b"\n".join([LEAD] * n),
    "PHP's": lambda n: b"{" + b",".join(b'"%d":%b' % (place, LEAD) for place in range(n)) + b"}",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_thousand_events_are_taken_and_one_more_is_not(form):
    assert len(read_body(FORMS[form](MOST_EVENTS)).events) == MOST_EVENTS
    refused = read_body(FORMS[form](MOST_EVENTS + 1))
    assert (refused.reason, refused.field) == ("too_many_events", "data")


def test_what_the_pixel_sent_is_counted_up_to_a_hundred_and_without_persons():
    pairs = [["Lead", str(n)] for n in range(MOST_REPORTED)]
    assert len(read_body(json.dumps({"data": [], "pixel": pairs}).encode()).pixel) == MOST_REPORTED
    refused = read_body(json.dumps({"data": [], "pixel": [*pairs, ["Lead", "x"]]}).encode())
    assert (refused.reason, refused.field) == ("wrong_type", "pixel")
    named = [["Lead", "joe@example.com"], ["joe%40example.com", "a"], ["Lead", "b"]]
    assert read_body(json.dumps({"data": [], "pixel": named}).encode()).pixel == (("Lead", "b"),)


@given(body=st.one_of(st.binary(max_size=60), JSON.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_at_all_give_events_or_a_sentence(body):
    for read in (read_body, read_events, read_lines, read_event):
        answer = read(body)
        if isinstance(answer, Rejection):
            assert answer.reason and answer.field and answer.message
        else:
            assert isinstance(answer, Submitted | list | Event)


@given(members=st.dictionaries(MEMBERS, JSON, max_size=6))
def test_an_event_is_refused_by_the_name_of_a_member_that_it_has_or_needs(members):
    answer = read_event(json.dumps(members).encode())
    if isinstance(answer, Rejection):
        first = answer.field.partition(".")[0].partition("[")[0]
        assert first in {*members, "event_name", "body"} or first == printable_name(first)
    else:
        assert answer.event_name == members["event_name"]


def test_an_event_of_another_program_is_told_what_was_looked_at():
    segment = {"type": "track", "event": "Order Completed", "joe@example.com": 1, "properties": {}}
    refused = read_event(json.dumps(segment).encode())
    assert (refused.reason, refused.field) == ("missing_field", "event_name")
    assert "type, event" in refused.message and "joe" not in refused.message


@given(events=st.lists(st.dictionaries(MEMBERS, JSON, max_size=4), min_size=1, max_size=4))
def test_each_event_of_an_array_is_judged_as_if_it_had_come_alone(events):
    together = read_body(json.dumps(events).encode())
    alone = [read_event(json.dumps(event).encode()) for event in events]
    assert repr([read_event(raw) for raw in together.events]) == repr(alone)


@pytest.mark.parametrize("value", ["650-555-1212", "Joe Doe", "", "\x1b[31m", "x" * 500])
@pytest.mark.parametrize(("field", "choice"), [("consent", "granted, denied"), ("action_source", "website, ")])
def test_a_value_that_is_none_of_the_fields_is_answered_with_those_and_not_repeated(field, choice, value):
    refused = read_event(json.dumps({"event_name": "Lead", field: value}).encode())
    assert isinstance(refused, Rejection)
    assert (refused.reason, refused.field) == ("wrong_type", field)
    assert choice in refused.message
    assert not value or value not in refused.message


@given(
    member=MEMBERS, wrong=st.sampled_from(["canary7131", ["canary7131"], {"a": "canary7131"}, "canary7131@a.example"])
)
def test_no_refusal_shows_a_value(member, wrong):
    body = json.dumps({"event_name": "Lead", member: wrong}).encode()
    assert "canary7131" not in "".join(repr(a) for a in (read_body(body), read_event(body)) if isinstance(a, Rejection))


@pytest.mark.parametrize("name", ["", "\x00", "\u202e\n", "joe@example.com", "@"])
def test_a_name_that_cannot_be_shown_is_told_all_the_same(name):
    event = read_event(msgspec.json.encode({"event_name": "Lead", name: 1}))
    assert event.left_out == (("...", "no such member here"),)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n \n"])
def test_a_file_may_be_json_lines_of_any_number(end):
    lines = [b'{"event_name":"Lead","event_id":"%d"}' % n for n in range(MOST_EVENTS + 2)]
    assert texts(line.event for line in read_lines(end.join(lines) + end)) == lines
    assert len(read_lines(b"[" + b",".join(lines) + b"]")) == MOST_EVENTS + 2


def test_a_file_of_one_event_over_several_lines_is_one_event():
    pretty = json.dumps({"event_name": "Lead", "user_data": {"email": "a@example.com"}}, indent=2).encode()
    assert [read_event(line.event).event_name for line in read_lines(pretty)] == ["Lead"]
    (line,) = read_lines('{"event_name":"a\u2028b\u0085c"}'.encode())
    assert read_event(line.event).event_name == "a\u2028b\u0085c", "what ends a line in Unicode ends none in JSON lines"


@pytest.mark.parametrize("body", [b"", b"\n\n", b"[]", b"1\n2\n", b"[1", b'{"data":[],"pixel":[]}'])
def test_a_file_without_events_is_told(body):
    assert isinstance(read_lines(body), Rejection)


@given(name=st.text(max_size=300))
def test_a_name_from_outside_is_short_and_steers_no_terminal_and_names_nobody(name):
    shown = printable_name(name)
    assert 0 < len(shown) <= 100 and shown.isprintable() and "@" not in shown


@given(name=st.text("abcäöü_-.", min_size=1, max_size=30))
def test_an_ordinary_name_is_shown_as_it_is(name):
    assert printable_name(name) == name
    assert read_event(msgspec.json.encode({"event_name": "Lead", f"x{name}": 1})).left_out[0][0] == f"x{name}"


def test_what_stands_beside_the_data_is_read_or_named_and_never_costs_the_events():
    beside = {"test_event_code": "TEST1", "partner_agent": "shop-1.0", "upload_tag": "x", "access_token": "EAA"}
    submitted = read_body(json.dumps({"data": [{"event_name": "Lead"}], **beside, "joe@example.com": 1}).encode())
    assert submitted.ignored == ("access_token", "...", "upload_tag")
    assert [told.partition(":")[0] for told in submitted.not_passed_on] == ["test_event_code", "partner_agent"]
    assert len(submitted.events) == 1


def test_each_event_may_be_json_text_as_metas_sdks_write_it():
    submitted = read_body(json.dumps({"data": [LEAD.decode(), LEAD.decode()]}).encode())
    assert [read_event(raw).event_name for raw in submitted.events] == ["Lead", "Lead"]
    assert read_event(json.dumps(json.dumps("Lead")).encode()).reason == "wrong_type"


ODD_TOKENS = [
    b'{"event_name":"Lead","custom_data":{"x":"Mug \\ud83d"}}',
    b'{"event_name":"Lead","custom_data":{"x":NaN}}',
    b'{"event_name":"Lead","custom_data":{"x":-Infinity}}',
    b'{"event_name":"Lead","custom_data":{"x":1e999}}',
    b'{"event_name":"Lead","custom_data":{"x":' + b"9" * 5_000 + b"}}",
    b'{"event_name":"Lead","custom_data":{"x":"\xff\xfe"}}',
    b'{"event_name":"Lead","event_name":"Lead","custom_data":{}}',
]


@pytest.mark.parametrize("odd", ODD_TOKENS, ids=lambda odd: odd[36:60])
def test_an_event_with_an_odd_token_is_read_and_costs_the_others_nothing(odd):
    for body in (b"[%s,%s,%s]" % (LEAD, odd, LEAD), b'{"data":[%s,%s,%s]}' % (LEAD, odd, LEAD)):
        assert [read_event(raw).event_name for raw in read_body(body).events] == ["Lead"] * 3


@pytest.mark.parametrize("bad", [b"tru", b"{'a':1}", b'{"event_name":Lead}', b"[" * 40 + b"]" * 40, b"", b"01"])
def test_an_event_that_is_none_is_refused_by_itself(bad):
    read = [read_event(raw) for raw in read_body(b"[%s,%s,%s]" % (LEAD, bad, LEAD)).events]
    assert isinstance(read[1], Rejection) and read[0].event_name == read[2].event_name == "Lead"


def test_the_event_after_the_thousandth_ends_the_reading():
    zeros = b"[" + b"0," * 1_000_000 + b"0]"
    assert read_body(zeros).reason == "too_many_events"
    assert read_body(b'{"data":%s}' % zeros).reason == "too_many_events"


def test_an_event_has_bounds_in_bytes_and_in_members():
    many = {"event_name": "Lead", "custom_data": {f"x{n}": 1 for n in range(MOST_PROPERTIES + 10)}}
    assert read_event(json.dumps(many).encode()).reason == "too_many_members"
    long = {"event_name": "Lead", "custom_data": {"x": ":" * MOST_EVENT_BYTES}}
    assert read_event(json.dumps(long).encode()).reason == "too_large"
    colons = {"event_name": "Lead", "custom_data": {"x": "::" * MOST_PROPERTIES * 4}}
    assert read_event(json.dumps(colons).encode()).event_name == "Lead"


@pytest.mark.parametrize("last", [b'{"event_name":"Le', b"{", b"]", b'{"event_name":"Lead"} x'])
def test_a_line_that_is_cut_off_is_refused_with_its_number_and_the_others_are_read(last):
    lines = read_lines(LEAD + b"\n\n" + LEAD + b"\r\n" + last)
    assert [line.number for line in lines] == [1, 3, 4]
    assert [isinstance(read_event(line.event), Rejection) for line in lines] == [False, False, True]


def test_an_event_of_an_array_over_several_lines_is_known_by_its_first_line():
    text = b'[\n {"event_name": "Lead"},\n {"event_name": NaN},\n\n {\n"event_name": "Lead"}\n]\n'
    assert [line.number for line in read_lines(text)] == [2, 3, 5]


def test_a_broken_document_over_several_lines_is_told_with_the_place():
    (line,) = read_lines(b'{\n  "event_name": "Lead",\n  "user_data": {"em": }\n}\n')
    refused = read_event(line.event)
    assert refused.reason == "unreadable" and "line 3" in refused.message


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_the_charset_of_a_file(charset):
    (line,) = read_lines('{"event_name":"Töpfern"}'.encode(charset))
    assert read_event(line.event).event_name == "Töpfern"


def test_a_sound_body_that_holds_too_much_is_not_only_called_broken():
    event = b'{"event_name":"Purchase","custom_data":{"content_ids":[%s]}}' % b",".join([b'"1"'] * 250)
    refused = read_body(b"[%s]" % b",".join([event] * 500))
    assert "holds too much for one request: send it in parts" in refused.message
