"""The stand-in misbehaves on command: below HTTP, in the body, and as Meta does."""

import http.client
import json

import pytest

from tests.emulator.requests import DATASET, TOKEN, arrived, event, send
from tests.processes import call

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


def connected(meta: str, patience: float) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(meta.removeprefix("http://"), timeout=patience)
    body = json.dumps({"data": [event()]})
    connection.request("POST", f"/v27.0/{DATASET}/events", body, {"Authorization": f"Bearer {TOKEN}"})
    return connection


def test_a_hanging_request_is_not_answered(meta):
    call("POST", f"{meta}/_emulator/misbehave", {"mode": "hang", "times": 1})
    connection = connected(meta, 1)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()


def test_a_dripping_answer_comes_byte_by_byte(meta):
    call("POST", f"{meta}/_emulator/misbehave", {"mode": "drip", "times": 1})
    connection = connected(meta, 60)
    answer = connection.getresponse()
    assert [len(answer.read1(100)) for _ in range(3)] == [1, 1, 1]
    connection.close()


def test_a_misbehaviour_can_be_for_one_dataset(meta):
    call("POST", f"{meta}/_emulator/misbehave", {"mode": "throttle", "dataset": "42"})
    assert send(meta, [event()], dataset="42")[1]["error"]["code"] == 80004
    assert send(meta, [event()])[0] == 200


@pytest.mark.parametrize("body", [{"mode": "nonsense"}, {"times": 0, "mode": "down"}, {"mod": "down"}, {"mode": 5}, []])
def test_a_misbehaviour_that_makes_no_sense_is_told(meta, body):
    status, answer = call("POST", f"{meta}/_emulator/misbehave", body)
    assert status == 400 and answer["error"]["message"]
