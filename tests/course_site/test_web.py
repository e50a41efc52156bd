"""How a body and what a page says of its visitor are read, without believing any of it."""

import contextlib
import json
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay import InvalidEvent, OutboxUnavailable, RequestFacts
from conversion_relay.course_site.visitor import PageVisit, read_visitor
from conversion_relay.course_site.web import (
    LONGEST_FIELD,
    MOST_BYTES,
    MOST_FIELDS,
    SiteError,
    SiteRequest,
    check_origin,
    read_form,
    read_object,
    refused,
    required_email,
    required_text,
    unavailable,
)

CLASSIC = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
FBP = "fb.1.1596403881668.1116446470"


class Form(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    seats: int | None = None


def request(body: bytes | str | dict, headers: dict[str, str] = {}) -> SiteRequest:  # noqa: B006
    raw = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
    return SiteRequest(method="POST", body=raw, headers=headers)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (request({"a": 1}), {"a": 1}),
        (request({"a": "é"}, {"content-type": "text/plain;charset=UTF-8"}), {"a": "é"}),
        (request({"a": 1}, CLASSIC), {"a": 1}),
        (request(b'  {"a": 1}', CLASSIC), {"a": 1}),
        (request("a=1&b=%C3%A9", CLASSIC), {"a": "1", "b": "é"}),
        (request("a=1+2&a=3", CLASSIC), {"a": "3"}),
        (request("a=1", {"content-type": " Application/X-WWW-Form-Urlencoded ;charset=utf-8"}), {"a": "1"}),
        (request("a=&b=x", CLASSIC), {"b": "x"}),
        (request("", CLASSIC), {}),
        (request(b"a=%ff", CLASSIC), {"a": "\ufffd"}),
        (request("&".join(f"f{n}=x" for n in range(MOST_FIELDS)), CLASSIC), {f"f{n}": "x" for n in range(MOST_FIELDS)}),
    ],
)
def test_json_and_classic_forms_are_read(sent, read):
    assert read_object(sent) == read


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        (request(b" " * (MOST_BYTES + 1)), 413, "too_large"),
        (request("&".join(f"f{n}=x" for n in range(MOST_FIELDS + 1)), CLASSIC), 400, "too_many_fields"),
        (request("&" * 60_000, CLASSIC), 400, "too_many_fields"),
        (request("a=1"), 400, "unreadable"),
        (request(""), 400, "unreadable"),
        (request(b"\xff"), 400, "unreadable"),
        (request("[1]"), 400, "wrong_type"),
        (request("7"), 400, "wrong_type"),
        (request("NaN"), 400, "unreadable"),
        (request("[" * 60_000), 400, "unreadable"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_kind(sent, status, error):
    with pytest.raises(SiteError) as told:
        read_object(sent)
    said = told.value.answer()
    assert (said.status, said.body["error"], said.body["field"]) == (status, error, "body")
    assert said.headers["X-Relay-Reason"] == error and said.body["message"]


def test_a_compressed_body_is_told_as_one():
    with pytest.raises(SiteError) as told:
        read_object(request(b"\x1f\x8b", {"content-encoding": "gzip"}))
    assert (told.value.status, told.value.field) == (415, "content-encoding")
    assert read_object(request({"a": 1}, {"content-encoding": "Identity"})) == {"a": 1}


@given(body=st.binary(max_size=400), is_form=st.booleans())
def test_whatever_comes_is_an_object_or_told(body, is_form):
    try:
        read = read_object(request(body, CLASSIC if is_form else {}))
    except SiteError as error:
        read = {"told": error.field}
    assert isinstance(read, dict)


@pytest.mark.parametrize(
    ("body", "error", "field"),
    [
        ({}, "missing_field", "name"),
        ({"name": 5}, "wrong_type", "name"),
        ({"name": "a", "seats": "two"}, "wrong_type", "seats"),
        ({"name": "a", "color": "canary"}, "unknown_field", "color"),
    ],
)
def test_a_field_of_a_wrong_shape_is_named_without_its_value(body, error, field):
    with pytest.raises(SiteError) as told:
        read_form(request(body), Form)
    said = told.value.answer()
    assert (said.body["error"], said.body["field"]) == (error, field) and "canary" not in json.dumps(said.body)


@pytest.mark.parametrize(
    ("text", "read"), [("a", "a"), ("  a b \n", "a b"), ("x" * LONGEST_FIELD, "x" * LONGEST_FIELD)]
)
def test_a_text_is_trimmed(text, read):
    assert required_text("name", text) == read


@pytest.mark.parametrize(
    ("text", "error"), [("", "missing_field"), (" \t\n", "missing_field"), ("x" * (LONGEST_FIELD + 1), "too_long")]
)
def test_a_text_that_is_missing_or_too_long_is_told(text, error):
    with pytest.raises(SiteError) as told:
        required_text("name", text)
    assert (told.value.error, told.value.field) == (error, "name")


@pytest.mark.parametrize("text", ["a@b.example", " a.b+c@sub.b.example ", "é@bücher.example", "a@xn--bcher-kva.de"])
def test_an_address_that_can_be_answered_is_taken(text):
    assert required_email("email", text) == text.strip()


@pytest.mark.parametrize(
    "text",
    ["canary", "a@b", "a@", "a@[b.example", "a:b@c.example",
     "a\\b@c.example", "@b.example", "a b@c.example", "a@b..example", "a@b.example.", "a@b.example, c@d.example",
     "<a@b.example>", "a@b.example\r\nBcc: c@d.example", "a@b@c.example", '"a"@b.example', f"{'x' * 250}@b.example"],
)  # fmt: skip
def test_what_is_no_single_address_is_told(text):
    with pytest.raises(SiteError) as told:
        required_email("email", text)
    assert (told.value.error, told.value.field) == ("not_an_email", "email") and text not in told.value.message


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"origin": "https://courses.example"}, True),
        ({"origin": "https://COURSES.example"}, True),
        ({"origin": "https://own.example", "host": "own.example"}, True),
        ({"origin": "https://evil.example", "host": "own.example"}, False),
        ({"origin": "null", "host": ""}, False),
        ({"origin": "", "host": ""}, False),
        ({"origin": "http://[::1", "host": "[::1"}, False),
    ],
)
def test_whose_page_may_call(headers, allowed):
    refusal = contextlib.nullcontext() if allowed else pytest.raises(SiteError, match="origin_not_allowed")
    with refusal:
        check_origin(SiteRequest(method="POST", headers=headers), frozenset({"https://courses.example"}))


def test_errors_of_the_relay_become_answers():
    said = unavailable(OutboxUnavailable("disk full at /secret"))
    assert said.status == 503 and said.headers["Retry-After"] and "secret" not in json.dumps(said.body)
    error = refused(InvalidEvent("too_broad", "user_data", "send one more key"))
    assert error.answer().body == {"error": "too_broad", "field": "user_data", "message": "send one more key"}


class TestVisitor:
    @pytest.mark.parametrize(
        ("body", "visit"),
        [
            ({"visitor": {"fbp": FBP, "consent": "granted"}}, PageVisit(fbp=FBP, consent="granted")),
            ({"visitor": json.dumps({"fbp": FBP})}, PageVisit(fbp=FBP)),
            ({"visitor": None}, PageVisit()),
            ({"visitor": {}}, PageVisit()),
            ({"visitor": {"fbp": FBP, "of_a_later_script": 1}}, PageVisit(fbp=FBP)),
            ({"content_data": {}, "consent": "denied", "gpc": True}, PageVisit(consent="denied", gpc=True)),
            ({"content_data": {}, "user_data": {"fbp": FBP}}, PageVisit()),
            ({}, PageVisit()),
        ],
    )
    def test_what_the_page_says(self, body, visit):
        assert read_visitor(request(body)) == visit

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
    def test_a_body_that_cannot_be_read_says_nothing_here(self, body):
        assert read_visitor(request(body)) == PageVisit()

    def test_a_hidden_field_of_a_classic_form(self):
        visitor = quote(json.dumps({"fbc": "fb.1.1.A", "gpc": True}))
        assert read_visitor(request(f"name=x&visitor={visitor}", CLASSIC)) == PageVisit(fbc="fb.1.1.A", gpc=True)
        assert read_visitor(request(urlencode({"name": "x", "visitor": ""}), CLASSIC)) == PageVisit()

    @pytest.mark.parametrize(
        "given", ["{", "7", 7, [], {"consent": "perhaps"}, {"gpc": "yes"}, '{"fbp": 1}', "[" * 999]
    )
    def test_a_visitor_of_a_wrong_shape_is_named(self, given):
        with pytest.raises(SiteError) as told:
            read_visitor(request({"visitor": given}))
        assert (told.value.status, told.value.field) == (400, "visitor")

    def test_a_page_views_consent_of_a_wrong_shape_is_named(self):
        with pytest.raises(SiteError) as told:
            read_visitor(request({"content_data": {}, "consent": "perhaps"}))
        assert told.value.field == "consent"

    def test_the_page_outranks_the_request_but_never_takes_back_its_privacy_signal(self):
        asked = RequestFacts(fbp="fb.1.1.1", fbc="fb.1.1.A", url="https://courses.example/", gpc=True)
        page = PageVisit(fbp=FBP, event_source_url="https://courses.example/x", gpc=False)
        facts = page.facts(asked)
        assert (facts.fbp, facts.fbc, facts.url, facts.gpc) == (FBP, "fb.1.1.A", "https://courses.example/x", True)
        assert PageVisit(gpc=True).facts(RequestFacts()).gpc is True
