"""Requests as other people's clients write them, whole and cut off, and controls that are asked for wrongly."""

import json
from urllib.parse import urlencode

import pytest

from conversion_relay.emulator.app import create_app
from tests.emulator.requests import DATASET, TOKEN, ask, event, multipart

EVENTS = f"/v27.0/{DATASET}/events"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def app():
    return create_app()


def test_of_a_request_that_is_cut_off_nothing_is_taken(app):
    form = urlencode({"access_token": TOKEN, "data": json.dumps([event()])}).encode()
    for method, path, query in (
        ("POST", EVENTS, ""),
        ("POST", "/tr", urlencode({"id": DATASET, "ev": "Lead"})),
        ("POST", "/_emulator/reset", ""),
    ):
        assert ask(app, method, path, form, kind=FORM, query=query, is_cut=True) is None
    assert (app.store.events, list(app.store.requests)) == ([], [])
    assert ask(app, "POST", EVENTS, form, kind=FORM)[0] == 200


@pytest.mark.parametrize(
    "kind",
    ["Multipart/Form-Data; Boundary=b", "multipart/form-data; boundary=b ", 'multipart/form-data; boundary="b"; a=b'],
)
def test_a_boundary_is_read_however_it_is_written(app, kind):
    assert ask(app, "POST", EVENTS, multipart({"data": json.dumps([event()])}, "b")[0], kind=kind)[0] == 200


PART = b'--b\r\nContent-Disposition: form-data; name="data"\r\nContent-Type: a/b; charset=x\r\n\r\n[]\r\n--b--\r\n'
REQUIRED, NO_ARRAY, EMPTY = (
    "The parameter data is required",
    "param data must be an array.",
    "param data must be non-empty.",
)


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"", "", REQUIRED),
        (b'{"data": null}', "", REQUIRED),
        (b'\xef\xbb\xbf{"data": []}', "", REQUIRED),
        (b'{"data": [NaN]}', "", REQUIRED),
        (PART, "multipart/form-data; boundary=b", REQUIRED),
        (PART, "multipart/form-data", REQUIRED),
        (b'{"data": {}}', "", NO_ARRAY),
        (b"data=%5B", FORM, NO_ARRAY),
        (b'{"data": []}', "", EMPTY),
        (b"data=%5B%5D", FORM, EMPTY),
    ],
)
def test_data_that_is_missing_no_list_or_empty_is_told_apart(app, body, kind, said):
    status, told, answer = ask(app, "POST", EVENTS, body, kind=kind)
    assert (status, answer["error"]["code"], answer["error"]["message"]) == (400, 100, f"(#100) {said}")
    assert ("x-emulator-inferred" in told) == (said == NO_ARRAY), "of this one no answer was published"


def test_strict_enforces_the_length_of_a_name():
    body = json.dumps({"data": [event(event_name="x" * 51)]}).encode()
    assert [ask(create_app(strict=strict), "POST", EVENTS, body)[0] for strict in (False, True)] == [200, 400]


def test_what_is_no_page_and_no_control_is_answered_as_the_graph_api_does(app):
    assert ask(app, "POST", "/", b"x=1", kind=FORM)[2]["error"]["code"] == 2500
    assert ask(app, "GET", "/")[0] == 200
    status, told, answer = ask(app, "GET", "/v27.0/dataset_quality")
    assert (status, answer["error"]["code"], told["x-emulator-inferred"]) == (400, 100, "1")


@pytest.mark.parametrize("limit", ["9" * 5_000, "\u0663", "-1", "", "x"])
def test_any_limit_is_answered(app, limit):
    ask(app, "POST", EVENTS, json.dumps({"data": [event()]}).encode())
    assert len(ask(app, "GET", "/_emulator/events", query=urlencode({"limit": limit}))[2]["events"]) == 1


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"mode": "throttle", "retry_after": "1\r\nx: y"}, "retry_after"),
        ({"mode": "throttle", "retry_after": "bald\u00a0"}, "retry_after"),
        ({"modes": ["poison", "ok"]}, "modes"),
        ({"mode": "poison", "event_ids": ["e1"], "times": 1}, "times"),
    ],
)
def test_what_could_not_be_played_is_told_when_it_is_asked_for(app, asked, field):
    status, _, answer = ask(app, "POST", "/_emulator/misbehave", json.dumps(asked).encode())
    assert (status, answer["error"]["field"], app.faults.active()) == (400, field, [])
    assert ask(app, "POST", EVENTS, json.dumps({"data": [event()]}).encode())[0] == 200


def test_poison_of_one_dataset_is_no_poison_to_another(app):
    asked = {"mode": "poison", "event_ids": ["e1"], "dataset": DATASET}
    ask(app, "POST", "/_emulator/misbehave", json.dumps(asked).encode())
    body = json.dumps({"data": [event()]}).encode()
    assert [ask(app, "POST", path, body)[0] for path in (EVENTS, "/v27.0/42/events")] == [400, 200]


PIXEL = {"id": DATASET, "ev": "Lead", "eid": "e9", "cd[value]": "12.5", "ud[em]": "0" * 64}


@pytest.mark.parametrize(
    ("query", "body", "kind"),
    [
        (urlencode(PIXEL), b"", ""),
        ("", urlencode(PIXEL).encode(), FORM),
        ("", *multipart(PIXEL)),
        (urlencode({"id": DATASET, "ev": "Lead"}), *multipart(PIXEL)),
    ],
    ids=["address", "form", "beacon", "both"],
)
def test_the_pixel_is_read_in_each_way_that_it_sends(app, query, body, kind):
    ask(app, "POST" if body else "GET", "/tr/", body, kind=kind, query=query)
    (arrived,) = app.store.events
    assert (arrived.source, arrived.dataset, arrived.event["event_id"]) == ("browser", DATASET, "e9")
    assert arrived.event["custom_data"] == {"value": "12.5"} and arrived.event["user_data"] == {"em": "0" * 64}


NESTED = urlencode({"data[0][event_name]": "Lead", "data[0][user_data][em][0]": "0" * 64, "access_token": TOKEN})


def test_fields_as_php_nests_them_are_told_apart_from_no_data(app):
    for body, kind in ((NESTED.encode(), FORM), multipart({"data[0][event_name]": "Lead"})):
        status, told, answer = ask(app, "POST", EVENTS, body, kind=kind)
        assert (status, answer["error"]["code"], told["x-emulator-inferred"]) == (400, 100, "1")
        assert "send data as JSON" in answer["error"]["error_user_msg"]


def operation(event_id="e1", address=f"v27.0/{DATASET}/events", **more):
    return {
        "method": "POST",
        "relative_url": address,
        "body": urlencode({"data": json.dumps([event(event_id=event_id)])}),
    } | more


def batch(app, operations, path="/", **more):
    return ask(app, "POST", path, urlencode({"batch": json.dumps(operations), **more}).encode(), kind=FORM)


def test_the_operations_of_a_batch_are_answered_one_by_one_in_their_order(app):
    bad = operation(body=urlencode({"data": "[]"}))
    quality = {"method": "GET", "relative_url": f"v27.0/dataset_quality?dataset_id={DATASET}"}
    status, _, told = batch(app, [operation("a"), bad, operation("b"), quality])
    assert (status, [one["code"] for one in told]) == (200, [200, 400, 200, 200])
    assert [json.loads(one["body"]).get("events_received") for one in told] == [1, None, 1, None]
    assert {"name": "content-type", "value": "application/json; charset=UTF-8"} in told[0]["headers"]
    assert [arrived.event["event_id"] for arrived in app.store.events] == ["a", "b"]


def test_a_batch_without_headers_and_to_a_version_and_as_json(app):
    (told,) = batch(app, [operation(address=f"{DATASET}/events")], path="/v27.0/", include_headers="false")[2]
    assert (told["code"], set(told)) == (200, {"code", "body"})
    body = json.dumps({"batch": [operation()]}).encode()
    assert ask(app, "POST", "/", body, kind="application/json")[2][0]["code"] == 200


def test_an_operation_has_the_token_of_its_batch_unless_it_has_its_own():
    app = create_app(token="EAAother")
    own = operation(body=urlencode({"data": json.dumps([event()]), "access_token": "EAAother"}))
    assert [one["code"] for one in batch(app, [operation(), own])[2]] == [401, 200]


@pytest.mark.parametrize(
    "wrong",
    ["x", {}, {"method": "POST", "relative_url": 7}, operation(body={"data": []}), operation(depends_on="first"),
     operation(address="")],
)  # fmt: skip
def test_an_operation_that_is_none_is_refused_alone(app, wrong):
    told = batch(app, [wrong, operation()])[2]
    assert [one["code"] for one in told][1] == 200 and told[0]["code"] in (400, 404)
    assert "error" in json.loads(told[0]["body"])


@pytest.mark.parametrize(("operations", "said"), [([], "non-empty"), ({}, "array"), ([operation()] * 51, "size is 50")])
def test_a_batch_that_is_none_is_refused_as_a_whole(app, operations, said):
    status, _, answer = batch(app, operations)
    assert status == 400 and said in answer["error"]["message"] and not app.store.events


def test_a_fault_meets_an_operation_as_it_meets_a_request(app):
    ask(app, "POST", "/_emulator/misbehave", json.dumps({"mode": "throttle", "times": 1}).encode())
    assert [one["code"] for one in batch(app, [operation("a"), operation("b")])[2]] == [400, 200]
