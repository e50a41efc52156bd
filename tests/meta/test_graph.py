"""What Meta says, and what it means."""

import msgspec
import pytest

from conversion_relay.event import SealedEvent
from conversion_relay.meta.graph import (
    Accepted,
    Ambiguous,
    Misconfigured,
    Refused,
    Said,
    Throttled,
    TooLarge,
    Unauthorized,
    Unlisted,
    Unreachable,
    appsecret_proof,
    build_request,
    read_response,
)

NOW = 1_700_000_000.0


def error(code, subcode=None, status=400, headers=None, **more):
    body = {
        "error": {
            "message": "Invalid parameter",
            "type": "OAuthException",
            "code": code,
            "fbtrace_id": "A1",
            **more,
        }
    }
    if subcode:
        body["error"]["error_subcode"] = subcode
    return read_response(status, headers or {}, msgspec.json.encode(body), 3, NOW)


def ok(body, status=200):
    return read_response(status, {}, body if isinstance(body, bytes) else msgspec.json.encode(body), 3, NOW)


def test_all_received_is_accepted_with_its_trace():
    outcome = ok({"events_received": 3, "messages": [], "fbtrace_id": "Ap15"})
    assert isinstance(outcome, Accepted) and outcome.said.fbtrace_id == "Ap15"


@pytest.mark.parametrize("received", [2, 0, 4, "3", None, 3.0, True, [3]])
def test_a_200_that_does_not_say_three_is_not_a_delivery(received):
    assert isinstance(ok({"events_received": received}), Ambiguous)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"Service Unavailable", b"[]", b"null", b'"x"', b"<html>", b"\xff\xfe", b"[" * 5000]
)
def test_a_200_that_cannot_be_read_is_not_a_delivery(body):
    assert isinstance(ok(body), Ambiguous)


@pytest.mark.parametrize(
    ("code", "subcode", "status", "expected"),
    [
        (190, 463, 400, Unauthorized),
        (190, None, 401, Unauthorized),
        (102, None, 400, Unauthorized),
        (10, None, 400, Misconfigured),
        (200, None, 403, Misconfigured),
        (299, None, 400, Misconfigured),
        (100, 33, 400, Misconfigured),
        (803, None, 404, Misconfigured),
        (368, None, 400, Misconfigured),
        (4, None, 400, Throttled),
        (17, 2446079, 400, Throttled),
        (613, 1487742, 400, Throttled),
        (80004, None, 400, Throttled),
        (1, None, 500, Unreachable),
        (2, None, 400, Unreachable),
        (100, 2804003, 400, Refused),
        (100, 2804009, 400, Refused),
        (100, None, 400, Refused),
        (105, None, 400, Unlisted),
        (2500, None, 400, Unauthorized),
        (5000, None, 500, Unlisted),
        (5000, None, 429, Unlisted),
        (5, None, 412, Unlisted),
        (12, None, 400, Unlisted),
        (100, 2804003, 500, Unlisted),
        (100, 2804999, 400, Unlisted),
    ],
)
def test_outcomes_are_told_apart_by_code_and_subcode(code, subcode, status, expected):
    outcome = error(code, subcode, status)
    assert isinstance(outcome, expected)
    assert (outcome.said.code, outcome.said.subcode, outcome.said.fbtrace_id) == (code, subcode, "A1")


@pytest.mark.parametrize("status", [201, 202, 206])
def test_any_2xx_is_a_delivery_if_it_says_that_all_came_and_else_sent_again(status):
    assert isinstance(ok({"events_received": 3}, status=status), Accepted)
    assert ok({"events_received": 2}, status=status).why == "short_count"
    assert ok(b"<html>", status=status) == Ambiguous(f"unreadable_{status}", Said(status=status))
    assert isinstance(ok(b"", status=204), Ambiguous)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(413, TooLarge), (429, Throttled), (502, Unreachable), (504, Unreachable), (302, Misconfigured), (200, Ambiguous)],
)
@pytest.mark.parametrize("error", [{"message": "Request Entity Too Large"}, {"status": 413}, {"code": "E_SIZE"}])
def test_an_error_of_a_gateways_own_is_read_by_its_status(status, expected, error):
    outcome = ok({"error": error}, status=status)
    assert isinstance(outcome, expected) and not outcome.said.is_metas
    assert getattr(outcome, "sent", True), "a gateway that lost an answer may have handed the events on"


@pytest.mark.parametrize("said", [True, "true", 1])
def test_is_transient_outweighs_an_unknown_code_and_one_that_could_be_an_events(said):
    assert isinstance(error(999, is_transient=said), Unreachable)
    assert isinstance(error(100, is_transient=said), Unreachable)
    assert isinstance(error(100, is_transient=False), Refused)


@pytest.mark.parametrize("sentence", [b"Mug \\ud83d", b"M\xfcll", "d’évènement".encode("cp1252")])
def test_a_sentence_that_was_cut_in_an_emoji_or_came_in_another_charset_hides_no_answer(sentence):
    refused = ok(b'{"error": {"code": 100, "error_subcode": 2804003, "error_user_title": "%s"}}' % sentence, status=400)
    assert isinstance(refused, Refused), "a dataset would wait behind one event that nobody finds"
    refused.said.title.encode()
    assert isinstance(ok(b'\xef\xbb\xbf{"events_received": 3, "messages": ["%s"]}' % sentence), Accepted)
    assert isinstance(ok(b'{"events_received": 3, "messages": ["%s' % sentence), Ambiguous)


def test_the_title_is_in_whatever_language_and_decides_nothing():
    outcome = error(100, 2804003, error_user_title="Horodatage de l’évènement trop ancien")
    assert isinstance(outcome, Refused) and outcome.said.title == "Horodatage de l’évènement trop ancien"


def test_a_json_path_names_the_guilty_event():
    outcome = error(100, 2804019, error_user_msg="The parameter $['data'][2]['user_data'] is required")
    assert isinstance(outcome, Refused) and outcome.index == 2


def test_a_4xx_without_a_code_says_nothing_of_an_event():
    assert isinstance(ok(b"<html>teapot</html>", status=418), Unlisted)


@pytest.mark.parametrize(
    ("path", "is_about_time"),
    [("['event_time']", True), ("['user_data']", False), ("['custom_data']['event_time']", False)],
)
def test_a_complaint_about_the_time_is_known_by_its_path(path, is_about_time):
    outcome = error(100, 2804019, error_user_msg=f"The parameter $['data'][0]{path} lies in the future")
    assert isinstance(outcome, Refused) and outcome.is_about_time is is_about_time


def test_a_proof_of_the_apps_secret_stands_in_the_body_alone():
    request = build_request([], url="https://g", version="v26.0", dataset="1", token="EAAtoken", app_secret="hush")
    proof = appsecret_proof("EAAtoken", "hush")
    assert len(proof) == 64 and request.body == b'{"data":[],"appsecret_proof":"%s"}' % proof.encode()
    assert proof not in request.url and proof not in repr(request) and proof not in str(request.headers)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (500, Unreachable),
        (503, Unreachable),
        (408, Unreachable),
        (429, Throttled),
        (413, TooLarge),
        (302, Misconfigured),
        (401, Unauthorized),
    ],
)
def test_without_a_body_the_status_decides(status, expected):
    assert isinstance(ok(b"<html>", status=status), expected)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30),
        ({"retry-after": "1000000000"}, 900),
        ({"retry-after": "soon"}, 60),
        ({"retry-after": "120.5"}, 120.5),
        ({"retry-after": "90, 120"}, 120),
        ({"retry-after": "90, soon"}, 60),
        ({"retry-after": "9," * 10_000}, 60),
        ({"retry-after": "-5"}, 60),
        ({"retry-after": "٣"}, 60),
        ({"x-business-use-case-usage": '{"1":[{"estimated_time_to_regain_access":3}]}'}, 180),
        ({"x-business-use-case-usage": "not json"}, 60),
        ({"x-business-use-case-usage": '{"1":[{"estimated_time_to_regain_access":"3"}],"2":7}'}, 60),
    ],
)
def test_a_throttle_waits_as_long_as_meta_asks_and_not_for_ever(headers, seconds):
    outcome = error(80004, headers=headers)
    assert isinstance(outcome, Throttled) and outcome.after == pytest.approx(seconds)


def test_a_request_joins_the_sealed_bytes_and_hides_the_token_from_the_url():
    events = [
        SealedEvent(
            dataset="1",
            event_name="Lead",
            event_id=i,
            event_time=1,
            expires_at=2,
            body=b'{"event_id":"%s"}' % i.encode(),
        )
        for i in ("a", "b")
    ]
    request = build_request(
        events,
        url="https://graph.facebook.com",
        version="v26.0",
        dataset="1",
        token="T",
        test_event_code='T"1',
    )
    assert request.url == "https://graph.facebook.com/v26.0/1/events"
    assert request.headers["Authorization"] == "Bearer T"
    assert request.body == b'{"data":[{"event_id":"a"},{"event_id":"b"}],"test_event_code":"T\\"1"}'


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, 0),
        ({"x-app-usage": '{"call_count":79,"total_time":1,"total_cputime":1}'}, 0),
        ({"x-app-usage": '{"call_count":28,"total_time":100,"total_cputime":1}'}, 60),
        ({"x-ad-account-usage": '{"acc_id_util_pct":85.0}'}, 15),
        ({"x-business-use-case-usage": '{"1":[{"call_count":95,"estimated_time_to_regain_access":0}]}'}, 45),
        ({"x-business-use-case-usage": '{"1":[{"call_count":100,"estimated_time_to_regain_access":5}]}'}, 300),
        ({"x-business-use-case-usage": '{"1":[{"call_count":100,"estimated_time_to_regain_access":5000}]}'}, 900),
        ({"x-app-usage": "nonsense", "x-business-use-case-usage": "[1]"}, 0),
        ({"x-app-usage": '{"call_count":"90"}'}, 0),
    ],
)
def test_a_200_near_a_limit_asks_for_a_rest(headers, pause):
    body = b'{"events_received":1,"messages":[],"fbtrace_id":"A"}'
    outcome = read_response(200, headers, body, 1, 0.0)
    assert isinstance(outcome, Accepted) and outcome.pause == pytest.approx(pause)


@pytest.mark.parametrize(
    ("outcome", "sent"),
    [
        (error(2, status=500), False),
        (error(1, status=500), False),
        (read_response(500, {}, b"<html>", 3, NOW), False),
        (read_response(503, {}, b"<html>", 3, NOW), False),
        (read_response(408, {}, b"", 3, NOW), False),
        (read_response(502, {}, b"<html>", 3, NOW), True),
        (read_response(504, {}, b"", 3, NOW), True),
        (read_response(502, {}, b'{"error":{"message":"Bad gateway"}}', 3, NOW), True),
        (read_response(520, {}, b"<html>", 3, NOW), True),
        (read_response(521, {}, b"<html>", 3, NOW), False),
        (read_response(524, {}, b"<html>", 3, NOW), True),
    ],
)
def test_an_error_that_meta_answers_with_is_no_taking_but_a_gateway_does_not_know(outcome, sent):
    assert isinstance(outcome, Unreachable) and outcome.sent is sent
