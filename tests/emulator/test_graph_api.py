"""Meta's stand-in, spoken to as its pages say: three encodings, three places for the token, its own error bodies."""

import http.client
import json
import time
from urllib.parse import urlencode

import pytest

from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from tests.processes import call

TOKEN, DATASET = "EAAcanary", "1232612085335834"


@pytest.fixture(scope="module")
def server():
    server = Server(create_app())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def meta(server):
    assert call("POST", f"{server.url}/_emulator/reset")[0] == 200
    return server.url


def event(**more) -> dict:
    return {
        "event_name": "Lead",
        "event_time": int(time.time()),
        "action_source": "website",
        "event_id": "e1",
        "event_source_url": "https://shop.example/",
        "user_data": {"em": ["0" * 64], "client_user_agent": "Mozilla/5.0"},
    } | more


def multipart(fields: dict[str, str]) -> tuple[bytes, str]:
    parts = [f'--b0undary\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    return "".join([*parts, "--b0undary--\r\n"]).encode(), "multipart/form-data; boundary=b0undary"


def send(meta: str, events, *, encoding="json", token_in="header", token=TOKEN, dataset=DATASET, version="v26.0"):
    """One request as one of Meta's documented forms."""
    fields = {"data": events if encoding == "json" else json.dumps(events)}
    headers = {}
    query = ""
    if token_in == "header":
        headers["Authorization"] = f"Bearer {token}"
    elif token_in == "body":
        fields["access_token"] = token
    elif token_in == "query":
        query = f"?access_token={token}"
    if encoding == "json":
        body, kind = json.dumps(fields).encode(), "application/json"
    elif encoding == "urlencoded":
        body, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded"
    else:
        body, kind = multipart(fields)
    return call("POST", f"{meta}/{version}/{dataset}/events{query}", body, Content_Type=kind, **headers)


def arrived(meta: str) -> list[dict]:
    return call("GET", f"{meta}/_emulator/events")[1]["events"]


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


def test_server_and_browser_with_one_id_are_counted_once(meta):
    pixel = urlencode({"id": DATASET, "ev": "Lead", "eid": "e1", "dl": "https://shop.example/"})
    assert call("GET", f"{meta}/tr?{pixel}")[0] == 200
    send(meta, [event(), event(event_id="e2"), event(event_name="Contact")])
    rows = arrived(meta)
    assert [(r["source"], r["event"]["event_name"], r["event"]["event_id"], r["duplicate"]) for r in rows] == [
        ("browser", "Lead", "e1", False),
        ("server", "Lead", "e1", True),
        ("server", "Lead", "e2", False),
        ("server", "Contact", "e1", False),
    ]
    assert call("GET", f"{meta}/_emulator/state")[1]["unique"] == 3


def test_the_window_for_counting_once_is_48_hours():
    now = [1_795_435_200.0]
    app = create_app(clock=lambda: now[0])
    app.store.take(DATASET, [event()], "server", now[0])
    app.store.take(DATASET, [event()], "server", now[0] + 48 * 3600)
    app.store.take(DATASET, [event()], "server", now[0] + 2 * 48 * 3600 + 2)
    assert [row.duplicate for row in app.store.events] == [False, True, False]


STATUSES = [("http_500", 500, 2), ("throttle", 400, 80004), ("token_expired", 400, 190), ("unknown_dataset", 400, 100)]


@pytest.mark.parametrize(("mode", "status", "code"), STATUSES)
def test_a_refusing_misbehaviour_answers_as_meta_and_ends(meta, mode, status, code):
    call("POST", f"{meta}/_emulator/misbehave", {"mode": mode, "times": 1})
    said, answer = send(meta, [event()])
    assert (said, answer["error"]["code"]) == (status, code)
    assert send(meta, [event()])[0] == 200


def test_the_others_fail_on_the_wire_or_in_the_body(meta):
    for mode in ("down", "reset", "lost_answer"):
        call("POST", f"{meta}/_emulator/misbehave", {"mode": mode, "times": 1})
        assert send(meta, [event(event_id=mode)]) == (0, None)
    assert [row["event"]["event_id"] for row in arrived(meta)] == ["lost_answer"], "only the answer was lost"
    call("POST", f"{meta}/_emulator/misbehave", {"mode": "html_503", "times": 1})
    assert send(meta, [event()])[0] == 503
    call("POST", f"{meta}/_emulator/misbehave", {"mode": "malformed", "times": 1})
    assert isinstance(send(meta, [event()])[1], str)
    call("POST", f"{meta}/_emulator/misbehave", {"mode": "short_count", "times": 1})
    assert send(meta, [event(event_id="s1"), event(event_id="s2")])[1]["events_received"] == 1


def connected(meta: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(meta.removeprefix("http://"), timeout=1)
    body = json.dumps({"data": [event()]})
    connection.request("POST", f"/v26.0/{DATASET}/events", body, {"Authorization": f"Bearer {TOKEN}"})
    return connection


def test_a_hanging_request_is_not_answered(meta):
    call("POST", f"{meta}/_emulator/misbehave", {"mode": "hang", "times": 1})
    connection = connected(meta)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()


def test_a_dripping_answer_comes_byte_by_byte(meta):
    call("POST", f"{meta}/_emulator/misbehave", {"mode": "drip", "times": 1})
    connection = connected(meta)
    answer = connection.getresponse()
    assert [len(answer.read1(100)) for _ in range(3)] == [1, 1, 1], "each within the reader's timeout, never done"
    connection.close()


def test_a_misbehaviour_can_be_for_one_dataset(meta):
    call("POST", f"{meta}/_emulator/misbehave", {"mode": "throttle", "dataset": "42"})
    assert send(meta, [event()], dataset="42")[1]["error"]["code"] == 80004
    assert send(meta, [event()])[0] == 200


@pytest.mark.parametrize("body", [{"mode": "nonsense"}, {"times": 0, "mode": "down"}, {"mod": "down"}, {"mode": 5}, []])
def test_a_misbehaviour_that_makes_no_sense_is_told(meta, body):
    status, answer = call("POST", f"{meta}/_emulator/misbehave", body)
    assert status == 400 and answer["error"]["message"]


def test_plain_contact_data_is_taken_and_pointed_out(meta):
    assert send(meta, [event(user_data={"em": "joe@example.com"})])[0] == 200
    assert any("em is not a SHA-256" in line for line in arrived(meta)[0]["diagnostics"])


DIAGNOSED = [
    ({"user_data": {"ph": "+16505551212"}}, "ph is not a SHA-256 digest"),
    ({"user_data": {"em": ["0" * 64], "client_ip_address": "10.0.0.1"}}, "private address"),
    ({"user_data": {"em": ["0" * 64], "fbc": "fb.1.1554763741.AbCd"}}, "fbc has seconds"),
    (
        {"user_data": {"em": ["0" * 64], "fbc": "fb.1.1554763741205.abcdefghijklmnopqrstuvwxyz"}},
        "fbc looks lower-cased",
    ),
    ({"event_id": None}, "event_id is missing"),
]


@pytest.mark.parametrize(("odd", "said"), DIAGNOSED, ids=[said for _, said in DIAGNOSED])
def test_what_meta_takes_and_frowns_upon_is_a_diagnostic_and_no_error(meta, odd, said):
    assert send(meta, [event(**odd)])[0] == 200
    assert any(said in line for line in arrived(meta)[0]["diagnostics"])


def test_a_time_a_little_in_the_future_is_taken_and_pointed_out(meta):
    assert send(meta, [event(event_time=int(time.time()) + 300)])[0] == 200
    assert any("lies in the future" in line for line in arrived(meta)[0]["diagnostics"])


def test_an_error_whose_wording_is_not_recorded_is_marked_as_inferred(meta):
    connection = http.client.HTTPConnection(meta.removeprefix("http://"), timeout=5)
    marks = {}
    for name, events in (
        ("known", [event(event_time=1)]),
        ("currency", [event(custom_data={"value": 1, "currency": "EURO"})]),
        ("too many", [event()] * 1001),
        ("future", [event(event_time=int(time.time()) + 86_400)]),
    ):
        body = json.dumps({"data": events})
        connection.request("POST", f"/v26.0/{DATASET}/events", body, {"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 400
        marks[name] = answer.getheader("X-Emulator-Inferred")
    connection.close()
    assert marks == {"known": None, "currency": "1", "too many": "1", "future": "1"}


def test_strict_enforces_what_the_pages_require_and_the_api_lets_pass():
    bare = event(event_source_url=None, user_data={"em": ["joe@example.com"]})
    app, strict = create_app(), create_app(strict=True)
    for emulator, status in ((app, 200), (strict, 400)):
        server = Server(emulator)
        server.start()
        said, answer = send(server.url, [bare])
        server.stop()
        assert said == status, answer


def test_without_ids_a_browser_event_and_a_later_server_event_of_one_browser_are_counted_once(meta):
    fbp = "fb.1.1596403881668.1116446470"
    pixel = urlencode({"id": DATASET, "ev": "Lead", "fbp": fbp, "dl": "https://shop.example/"})
    server_side = event(event_id=None, user_data={"fbp": fbp, "client_user_agent": "Mozilla/5.0"})
    call("GET", f"{meta}/tr?{pixel}")
    send(meta, [server_side])
    assert [row["duplicate"] for row in arrived(meta)] == [False, True]
    call("POST", f"{meta}/_emulator/reset")
    send(meta, [server_side])
    call("GET", f"{meta}/tr?{pixel}")
    send(meta, [event(event_name="Contact", event_id=None), event(event_name="Contact", event_id=None)])
    assert [row["duplicate"] for row in arrived(meta)] == [False] * 4, "browser first only; never two of one side"


def test_dataset_quality_is_computed_from_what_arrived(meta):
    send(meta, [event(event_id="a"), event(event_id="b", user_data={"em": ["0" * 64], "fbp": "fb.1.1596403881668.1"})])
    call("GET", f"{meta}/tr?" + urlencode({"id": DATASET, "ev": "Lead", "eid": "a"}))
    status, answer = call("GET", f"{meta}/v25.0/dataset_quality?dataset_id={DATASET}&access_token={TOKEN}")
    (lead,) = answer["web"]
    keys = {
        row["identifier"]: row["coverage"]["percentage"] for row in lead["event_match_quality"]["match_key_feedback"]
    }
    assert status == 200 and lead["event_name"] == "Lead" and 0 <= lead["event_match_quality"]["composite_score"] <= 10
    assert keys == {"email": 100.0, "user_agent": 50.0, "fbp": 50.0}
    dedupe = {
        row["dedupe_key"]: row["server_events_with_dedupe_key"]["percentage"] for row in lead["dedupe_key_feedback"]
    }
    assert dedupe == {"event_id": 100.0, "external_id": 0.0, "fbp": 50.0}


@pytest.mark.parametrize(
    ("path", "code"), [("/v26.0/abc/events", 2500), ("/26/1/events", 2500), ("/v26.0/1/other", 2500), ("/", None)]
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


def test_browser_and_server_that_name_different_addresses_are_pointed_out(meta):
    pixel = urlencode({"id": DATASET, "ev": "Lead", "eid": "e1"})
    call("GET", f"{meta}/tr?{pixel}", X_Forwarded_For="8.8.4.4")
    same = {"em": ["0" * 64], "client_ip_address": "8.8.4.4"}
    send(meta, [event(user_data=same)])
    send(meta, [event(user_data=same | {"client_ip_address": "1.1.1.1"})])
    told = [any("different IP addresses" in line for line in row["diagnostics"]) for row in arrived(meta)]
    assert told == [False, False, True]
