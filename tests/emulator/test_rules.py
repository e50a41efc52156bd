"""The stand-in refuses what Meta is known to refuse, says so in Meta's words, and says which words are a guess."""

import http.client
import json

import pytest
from msgspec.structs import replace

from conversion_relay.emulator import answers, graph_errors
from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.graph_errors import GraphError
from conversion_relay.emulator.rules import judge
from conversion_relay.emulator.server import Server
from tests.emulator.refused import DAY, GOOD, ITEM, NOW, REFUSED, SHA, TAKEN, contents, ldu, person
from tests.emulator.requests import DATASET, TOKEN


@pytest.fixture(scope="module")
def november():
    """A stand-in whose clock stands at NOW."""
    server = Server(create_app(clock=lambda: NOW))
    server.start()
    yield server.url
    server.stop()


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.what)
def test_one_such_event_refuses_its_whole_request_and_is_marked(november, case):
    connection = http.client.HTTPConnection(november.removeprefix("http://"), timeout=60)
    body = json.dumps({"data": [GOOD, GOOD | case.more]})
    connection.request("POST", f"/v27.0/{DATASET}/events", body, {"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    error = json.loads(answer.read())["error"]
    connection.close()
    assert (answer.status, error["code"], error.get("error_subcode")) == (400, 100, case.subcode), error
    assert error["message"] == "Invalid parameter" and error["error_user_title"] and error["error_user_msg"]
    assert (answer.getheader("X-Emulator-Inferred") is None) == case.recorded
    assert bool(answer.getheader("X-Emulator-Recorded")) == case.recorded


@pytest.mark.parametrize("more", TAKEN.values(), ids=TAKEN.keys())
def test_what_meta_takes_is_taken(more):
    assert judge([GOOD | more], NOW) is None


RECORDED = [
    (
        contents(ITEM | {"index": 0}),
        "Server Side Api Parameter Error",
        "Unexpected key \"index\" on param \"$['data'][0]['custom_data']['contents'][0]\".",
    ),
    (
        {"advertiser_tracking_enabled": 1},
        "Server Side Api Parameter Error",
        'Unexpected key "advertiser_tracking_enabled" on param "$[\'data\'][0]".',
    ),
    (
        person(fbc="fb.1.1554763741205"),
        "Click ID Incorrectly Formatted",
        "The click ID (_fbc) parameter is not formatted correctly. See the click ID parameter field for guidelines on"
        " formatting this parameter.",
    ),
    (
        ldu(),
        "Invalid Values for Country and State Data Processing Options",
        "The values you entered for data_processing_options_country and data_processing_options_state are invalid as"
        " a combination. Valid combinations are 0 and 0, or 1 and 1000.",
    ),
]


@pytest.mark.parametrize(("more", "title", "text"), RECORDED, ids=lambda part: str(part)[:40])
def test_a_recorded_answer_is_repeated_to_the_letter(more, title, text):
    error = judge([GOOD | more], NOW)
    assert error is not None
    assert (error.title, error.text) == (title, text)


def test_the_generic_errors_say_which_event_they_mean():
    for more in ({"event_time": NOW + DAY}, contents(ITEM | {"index": 0}), {"colour": 1}, person(mail="x")):
        error = judge([GOOD, GOOD, GOOD | more], NOW)
        assert error is not None and "$['data'][2]" in (error.text or "")


def test_every_error_that_is_not_a_guess_names_where_it_was_read():
    """The table itself: an address, or one of the few names for what has none."""
    found = [e for module in (answers, graph_errors) for e in vars(module).values() if isinstance(e, GraphError)]
    assert len(found) > 20
    for error in found:
        assert error.inferred == (error.recorded is None)
        assert replace(error, recorded=None).headers() == {"x-emulator-inferred": "1"}
        if error.recorded:
            assert error.headers() == {"x-emulator-recorded": error.recorded}
            assert error.recorded.startswith(("https://", "logs of", "general knowledge", "live answer"))
    at = {error.subcode: error.recorded for error in found if error.recorded}
    assert all("https://" in at[subcode] for subcode in (2804001, 2804003, 2804008, 2804009, 2804010, 2804050))


def test_a_physical_store_has_62_days():
    shop = GOOD | {"action_source": "physical_store"}
    assert judge([shop | {"event_time": NOW - 61 * DAY}], NOW) is None
    assert judge([shop | {"event_time": NOW - 63 * DAY}], NOW) is graph_errors.TOO_OLD


def test_strict_asks_of_a_websites_event_all_that_the_pages_require_and_for_nothing_more():
    whole = GOOD | {"event_source_url": "https://a.example/", "user_data": {"em": [SHA], "client_user_agent": "M"}}
    assert judge([whole], NOW, strict=True) is None
    assert judge([GOOD | {"action_source": "phone_call"}], NOW, strict=True) is None, "a call has no page"
    for name in ("event_source_url", "user_data"):
        error = judge([whole | {name: GOOD.get(name)}], NOW, strict=True)
        assert error is not None and error.inferred and judge([whole | {name: GOOD.get(name)}], NOW) is None
