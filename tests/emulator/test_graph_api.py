"""Meta's stand-in, spoken to as its pages say: three encodings, three places for the token, its own error bodies."""

import http.client
import json
import time

import pytest

from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from tests.emulator.requests import DATASET, TOKEN, arrived, event, send
from tests.processes import call


@pytest.mark.parametrize("encoding", ["json", "multipart", "urlencoded"])
@pytest.mark.parametrize("token_in", ["header", "body", "query"])
def test_every_documented_form_is_taken(meta, encoding, token_in):
    status, answer = send(meta, [event()], encoding=encoding, token_in=token_in)
    assert (status, answer["events_received"], answer["messages"]) == (200, 1, [])
    assert answer["fbtrace_id"]
    assert [row["event"]["event_id"] for row in arrived(meta)] == ["e1"]


def test_no_token_is_ever_shown(meta):
    for token_in in ("header", "body", "query"):
        send(meta, [event()], token_in=token_in)
    shown = [
        call("GET", f"{meta}/{path}")[1] for path in ("_emulator/events", "_emulator/requests", "_emulator/state", "")
    ]
    assert TOKEN not in json.dumps(shown)
    assert {line["token_in"] for line in shown[1]["requests"]} == {"header", "body", "query"}


REFUSED = [
    ({"user_data": {"client_user_agent": "Mozilla/5.0"}}, 2804050),
    ({"user_data": {"ct": "0" * 64, "country": "0" * 64}}, 2804050),
    ({"user_data": {}}, 2804050),
    ({"event_name": "Purchase", "custom_data": {"currency": "EUR"}}, 2804009),
    ({"event_name": "Purchase", "custom_data": {"value": 1}}, 2804010),
    ({"event_time": int(time.time()) - 8 * 86_400}, 2804003),
    ({"event_time": None}, 2804019),
    ({"event_name": ""}, 2804019),
    ({"user_data": None}, 2804019),
    ({"user_data": {"em": ["0" * 64], "lead_id": "l:123"}}, 2804036),
]


@pytest.mark.parametrize(("wrong", "subcode"), REFUSED, ids=[f"{s}-{i}" for i, (_, s) in enumerate(REFUSED)])
def test_one_bad_event_refuses_the_whole_batch_with_metas_error(meta, wrong, subcode):
    status, answer = send(meta, [event(event_id="good"), event(**wrong)])
    error = answer["error"]
    assert (status, error["code"], error["error_subcode"], error["type"]) == (400, 100, subcode, "OAuthException")
    assert error["error_user_title"] and error["fbtrace_id"] and error["message"]
    assert arrived(meta) == []


def test_the_generic_error_says_where(meta):
    answer = send(meta, [event(), {k: v for k, v in event().items() if k != "event_time"}])[1]
    assert "$['data'][1]['event_time']" in answer["error"]["error_user_msg"]


@pytest.mark.parametrize("data", [[], {}, "no json", None])
def test_no_data_is_refused(meta, data):
    status, answer = send(meta, data)
    assert (status, answer["error"]["code"]) == (400, 100)


def test_a_token_is_asked_for_first(meta):
    status, answer = send(meta, [], token_in="nowhere")
    assert (status, answer["error"]["code"]) == (401, 104)
    assert send(meta, [event()], token="two words")[1]["error"]["code"] == 190


def test_the_window_for_counting_once_is_48_hours():
    now = [1_795_435_200.0]
    app = create_app(clock=lambda: now[0])
    app.store.take(DATASET, [event()], "server", now[0])
    app.store.take(DATASET, [event()], "server", now[0] + 48 * 3600)
    app.store.take(DATASET, [event()], "server", now[0] + 2 * 48 * 3600 + 2)
    assert [row.duplicate for row in app.store.events] == [False, True, False]


def test_an_error_whose_wording_is_not_recorded_is_marked_as_inferred(meta):
    connection = http.client.HTTPConnection(meta.removeprefix("http://"), timeout=60)
    marks = {}
    for name, events in (
        ("known", [event(event_time=1)]),
        ("currency", [event(custom_data={"value": 1, "currency": "EURO"})]),
        ("too many", [event()] * 1001),
        ("future", [event(event_time=int(time.time()) + 86_400)]),
    ):
        body = json.dumps({"data": events})
        connection.request("POST", f"/v27.0/{DATASET}/events", body, {"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 400
        marks[name] = answer.getheader("X-Emulator-Inferred")
    connection.close()
    assert marks == {"known": None, "currency": "1", "too many": "1", "future": "1"}


def test_strict_enforces_what_the_pages_require_and_the_api_lets_pass():
    bare = event(event_source_url=None, user_data={"em": ["0" * 64]})
    app, strict = create_app(), create_app(strict=True)
    for emulator, status in ((app, 200), (strict, 400)):
        server = Server(emulator)
        server.start()
        said, answer = send(server.url, [bare])
        server.stop()
        assert said == status, answer


@pytest.mark.parametrize(
    ("path", "code"), [("/v27.0/abc/events", 2500), ("/26/1/events", 2500), ("/v27.0/1/other", 2500), ("/", None)]
)
def test_an_unknown_path_is_told_as_the_graph_api_does(meta, path, code):
    status, answer = call("POST", f"{meta}{path}", b"{}", Authorization=f"Bearer {TOKEN}")
    assert status == 404 and (code is None or answer["error"]["code"] == code)


def test_only_the_known_token_and_dataset_are_taken_where_they_are_given():
    server = Server(create_app(token=TOKEN, datasets=frozenset({DATASET})))
    server.start()
    try:
        assert send(server.url, [event()])[0] == 200
        assert send(server.url, [event()], token="EAAother")[1]["error"]["code"] == 190
        error = send(server.url, [event()], dataset="42")[1]["error"]
        assert (error["code"], error["error_subcode"], error["type"]) == (100, 33, "GraphMethodException")
    finally:
        server.stop()


@pytest.mark.parametrize("path", ["dataset_quality?dataset_id=1", "debug_token?input_token=x"])
@pytest.mark.parametrize(("token", "code"), [(None, 104), ("no token!", 190), (TOKEN, None)])
def test_what_is_read_of_a_dataset_or_a_token_needs_one_too(meta, path, token, code):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    status, answer = call("GET", f"{meta}/v27.0/{path}", **headers)
    assert (status, answer.get("error", {}).get("code")) == (401 if code else 200, code)


@pytest.mark.parametrize("in_one", [True, False], ids=["in one piece", "body behind the head"])
def test_a_client_that_offers_http_2_is_answered_in_http_1(meta, in_one):
    """Java's HttpClient does with every request, and sends the body behind the head."""
    connection = http.client.HTTPConnection(meta.removeprefix("http://"), timeout=60)
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABk"}
    for event_id in ("e1", "e2"):
        body = json.dumps({"data": [event(event_id=event_id)]}).encode()
        headers = offer | {"Authorization": f"Bearer {TOKEN}", "Content-Length": str(len(body))}
        connection.request("POST", f"/v27.0/{DATASET}/events", body if in_one else iter([body[:9], body[9:]]), headers)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["events_received"]) == (200, 1)
    connection.close()
    assert [row["event"]["event_id"] for row in arrived(meta)] == ["e1", "e2"]
