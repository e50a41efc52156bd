"""POST /events of a running collector: what is accepted is durable, what is not is told by field, nothing is a 5xx."""

import contextlib
import gzip
import json
import socket
import time

import apsw
import pytest

from tests.processes import TOKEN, call, installation, until

pytestmark = pytest.mark.xdist_group("the collector")
ORIGIN = "https://shop.example"
PERSON = {"email": "canary.person@example.org", "client_user_agent": "Mozilla/5.0", "client_ip_address": "8.8.4.4"}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with installation(tmp_path_factory.mktemp("collector")) as here:
        here.start("--no-worker")
        yield here


def accepted(here) -> int:
    return sum(book["accepted"] for book in json.loads(here.command("status", "--json").stdout)["datasets"])


def lead(**more) -> dict:
    return {"event_name": "Lead", "user_data": PERSON} | more


def test_a_single_event_an_array_and_metas_own_envelope_are_taken(here):
    before = accepted(here)
    for body in (lead(), [lead(), lead()], {"data": [lead()]}):
        status, answer = here.post(body)
        assert status == 202 and answer["refused"] == [], answer
        assert all(not receipt["duplicate"] for receipt in answer["accepted"])
    assert accepted(here) == before + 4


def test_a_beacon_as_text_from_an_allowed_page_is_taken(here):
    status, answer = call(
        "POST",
        f"{here.url}/events",
        json.dumps(lead(event_id="beacon-1")).encode(),
        Origin=ORIGIN,
        Content_Type="text/plain;charset=UTF-8",
    )
    assert (status, answer["accepted"]) == (202, [{"index": 0, "event_id": "beacon-1", "duplicate": False}])


def test_the_same_id_again_is_a_duplicate_and_not_stored(here):
    assert here.post(lead(event_id="twice"))[1]["accepted"][0]["duplicate"] is False
    before = accepted(here)
    assert here.post([lead(event_id="twice"), lead(event_id="twice")])[1]["accepted"] == [
        {"index": 0, "event_id": "twice", "duplicate": True},
        {"index": 1, "event_id": "twice", "duplicate": True},
    ]
    assert accepted(here) == before


def test_one_bad_event_is_refused_by_itself(here):
    status, answer = here.post([lead(), {"event_name": "Purchase", "user_data": PERSON}, lead()])
    assert status == 202
    assert [receipt["index"] for receipt in answer["accepted"]] == [0, 2]
    (refused,) = answer["refused"]
    assert (refused["index"], refused["reason"], refused["field"]) == (1, "missing_field", "custom_data.value")


def test_a_match_key_that_is_left_out_is_told_with_its_reason_and_without_its_value(here):
    person = {"email": ["canary.person@example.org", "canary at example"], "phone": "12", "external_id": "42"}
    (receipt,) = here.post(lead(user_data=person))[1]["accepted"]
    assert sorted(receipt["dropped"]) == [
        "email[1]: not one e-mail address",
        "phone: a phone number has 7 to 15 digits",
    ]


def test_what_is_left_out_beside_the_data_is_named_and_the_events_are_taken(here):
    status, answer = here.post(
        {"data": [lead()], "upload_tag": "x", "partner_agent": "shop-1.0", "access_token": "EAA"}
    )
    assert status == 202 and len(answer["accepted"]) == 1
    assert answer["accepted"][0]["dropped"] == ["partner_agent: not passed on to Meta"]
    assert answer["ignored"] == ["access_token", "upload_tag"] and "EAA" not in json.dumps(answer)


BAD = [
    (b"", 400, "unreadable", "body"),
    (b"{", 400, "unreadable", "body"),
    (b"\xff\xfe", 400, "unreadable", "body"),
    (b"null", 400, "unreadable", "body"),
    (b'"text"', 400, "unreadable", "body"),
    (b"[]", 400, "no_events", "data"),
    (b'{"data": {}}', 400, "wrong_type", "data"),
    (b'{"data": [], "access_token": "x"}', 400, "no_events", "data"),
    (b"[" + b'{"event_name":"Lead"},' * 1000 + b'{"event_name":"Lead"}]', 413, "too_many_events", "data"),
    (b"[" * 200_000, 400, "unreadable", "body"),
]


@pytest.mark.parametrize(("body", "status", "reason", "field"), BAD, ids=[b[2] + str(i) for i, b in enumerate(BAD)])
def test_an_unreadable_body_is_told_and_nothing_is_stored(here, body, status, reason, field):
    before = accepted(here)
    said, answer = here.post(body)
    assert (said, answer["reason"], answer["field"]) == (status, reason, field)
    assert answer["message"]
    assert accepted(here) == before


WRONG = [
    ({"user_data": PERSON}, "missing_field", "event_name"),
    (lead(event_name=7), "wrong_type", "event_name"),
    (lead(event_name=None), "missing_field", "event_name"),
    (lead(event_time="now"), "not_a_time", "event_time"),
    (lead(user_data="canary.person@example.org"), "too_broad", "user_data"),
    (lead(user_data={"email": {"a": 1}}), "too_broad", "user_data"),
    (lead(concent="denied"), "unknown_field", "concent"),
    (lead(action_source="web"), "wrong_type", "action_source"),
    (lead(user_data={"client_user_agent": "Mozilla/5.0"}), "too_broad", "user_data"),
    (lead(event_time=1_000_000_000), "event_time_too_old", "event_time"),
    ("text", "wrong_type", "body"),
    (None, "wrong_type", "body"),
]


@pytest.mark.parametrize(("event", "reason", "field"), WRONG, ids=[f"{w[1]}-{w[2]}-{i}" for i, w in enumerate(WRONG)])
def test_a_wrong_event_names_the_field_and_never_shows_the_value(here, event, reason, field):
    before = accepted(here)
    status, answer = here.post([event])
    assert (status, answer["accepted"]) == (422, [])
    (refused,) = answer["refused"]
    assert (refused["reason"], refused["field"]) == (reason, field)
    assert "canary" not in json.dumps(answer)
    assert accepted(here) == before


def test_who_may_send_what(here):
    purchase = {"event_name": "Purchase", "user_data": PERSON, "custom_data": {"value": 1, "currency": "EUR"}}
    url = f"{here.url}/events"
    assert call("POST", url, lead())[1]["reason"] == "unauthorized"
    assert call("POST", url, lead(), Authorization="Bearer wrong")[0] == 401
    assert call("POST", url, lead(), Authorization="Basic test-api-key")[0] == 401
    assert call("POST", url, lead(), Origin="https://evil.example")[0] == 403
    assert call("POST", url, lead(), Origin="https://shop.example.evil.example")[0] == 403
    status, answer = call("POST", url, purchase, Origin=ORIGIN)
    assert (status, answer["refused"][0]["reason"]) == (422, "needs_api_key")
    assert call("POST", url, purchase, Origin=ORIGIN, Authorization="Bearer test-api-key")[0] == 202
    assert call("GET", url)[0] == 405


def exchange(here, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", here.port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
        return answer


def test_a_preflight_is_answered_for_allowed_origins_alone(here):
    request = "OPTIONS /events HTTP/1.1\r\nHost: x\r\nOrigin: {}\r\nConnection: close\r\n\r\n"
    allowed = exchange(here, request.format(ORIGIN).encode()).lower()
    assert b" 204 " in allowed.splitlines()[0]
    assert b"access-control-allow-origin: https://shop.example\r\n" in allowed
    other = exchange(here, request.format("https://evil.example").encode()).lower()
    assert b"access-control-allow-origin" not in other


def test_too_large_or_compressed_a_body_is_refused_before_it_is_read(here):
    huge = b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-api-key\r\nContent-Length: 999999999\r\n"
    assert b" 413 " in exchange(here, huge + b"Connection: close\r\n\r\n").splitlines()[0]
    status, answer = here.post(b" " * (5 * 1_048_576))
    assert (status, answer["reason"]) == (413, "too_large")
    status, answer = here.post(gzip.compress(json.dumps(lead()).encode()), Content_Encoding="gzip")
    assert (status, answer["field"]) == (415, "content-encoding")


def test_a_chunked_body_is_cut_off_at_the_limit(here):
    head = (
        b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-api-key\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    assert b" 413 " in exchange(here, head + chunk * 5 + b"0\r\n\r\n").splitlines()[0]


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"POST /events HTTP/1.1\r\nHost: x\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nPOST /events HTTP/1.1\r\nHo",
    ],
    ids=["nothing", "half a head", "half a second head"],
)
def test_a_head_that_stalls_is_hung_up_on(here, start):
    with contextlib.suppress(ConnectionResetError):
        assert b"alive" in exchange(here, start) or b"livez" not in start


def test_a_body_that_stalls_is_told_and_dropped(here):
    head = b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-api-key\r\nContent-Length: 100\r\n\r\n{"
    assert b" 408 " in exchange(here, head).splitlines()[0]


def test_when_it_cannot_be_made_durable_the_answer_is_503_with_retry_after_and_it_recovers(here):
    before = accepted(here)
    other = apsw.Connection(str(here.database))
    other.set_busy_timeout(20_000)  # a commit just made may still be checkpointing
    other.execute("BEGIN IMMEDIATE")
    try:
        status, answer = here.post(lead(event_id="while-locked"))
        assert (status, answer["reason"]) == (503, "not_durable")
        assert call("GET", f"{here.url}/readyz")[0] == 503
        assert call("GET", f"{here.url}/livez")[0] == 200
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert here.post(lead(event_id="while-locked"))[1]["accepted"][0]["duplicate"] is False
    assert accepted(here) == before + 1


def test_meta_being_away_is_no_reason_to_refuse_events(here):
    here.misbehave(mode="down")
    assert here.post(lead())[0] == 202 and call("GET", f"{here.url}/readyz")[0] == 200


def test_the_metrics_balance_and_the_description_is_openapi(here):
    here.post(lead())
    text = call("GET", f"{here.url}/metrics")[1]
    assert "relay_ledger_imbalance{" in text and 'relay_events_accepted_total{event="Lead"}' in text
    document = call("GET", f"{here.url}/openapi.json")[1]
    assert document["openapi"].startswith("3.1") and "/events" in document["paths"]


def test_nobody_and_no_token_is_in_log_file_or_metrics(here):
    here.post(
        lead(
            event_id=f"canary.person@example.org_{time.time()}",
            event_source_url="https://a.example/?e=canary.person@example.org",
        )
    )
    until(lambda: accepted(here))
    kept = b"".join(path.read_bytes() for path in here.folder.iterdir() if path.is_file())
    kept += call("GET", f"{here.url}/metrics")[1].encode()
    assert b"canary.person" not in kept and TOKEN.encode() not in kept


def test_a_page_sends_a_hundred_events_and_256_kb_at_once_and_no_more(here):
    url = f"{here.url}/events"
    assert call("POST", url, [lead()] * 100, Origin=ORIGIN)[0] == 202
    status, answer = call("POST", url, [lead()] * 101, Origin=ORIGIN)
    assert (status, answer["reason"]) == (413, "too_many_events")
    pixel = [["Lead", str(n)] for n in range(101)]
    assert call("POST", url, {"data": [], "pixel": pixel}, Origin=ORIGIN)[0] in (400, 413)
    status, answer = call("POST", url, b" " * 262_145, Origin=ORIGIN)
    assert (status, answer["reason"]) == (413, "too_large")
    assert here.post([lead()] * 101)[0] == 202, "a backend may"


def test_a_flood_of_one_line_is_told_to_wait_by_events_and_not_by_requests(tmp_path):
    """In a server of its own: a flood is remembered. What cannot be read as an address is one line."""
    with installation(tmp_path) as here:
        here.env["RELAY_TRUSTED_PROXIES"] = "127.0.0.1/32"
        here.start("--no-worker")
        for lines in (["198.51.100.7", "::ffff:198.51.100.7"], ["unknown", "x", "[::1", "198.51.100.999"]):
            told = [
                call("POST", f"{here.url}/events", [lead()] * 100, Origin=ORIGIN, X_Forwarded_For=line)[0]
                for line in lines * (20 // len(lines))
            ]
            assert set(told) == {202, 429} and told[:5] == [202] * 5
        other = call("POST", f"{here.url}/events", [lead()] * 100, Origin=ORIGIN, X_Forwarded_For="198.51.100.8")
        assert other[0] == 202
