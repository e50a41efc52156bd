"""The SDK's other ways, as public programs go them: events as dictionaries, its exceptions, names from where its files
happen to import them, and an answer as a dictionary."""

import hashlib
import importlib
import json
import time
from decimal import Decimal

import pytest

from conversion_relay import Relay
from conversion_relay.errors import InvalidEvent
from conversion_relay.facebook_business import FacebookAdsApi, use_relay
from conversion_relay.facebook_business.adobjects.adspixel import AdsPixel
from conversion_relay.facebook_business.exceptions import FacebookError, FacebookRequestError

PIXEL, HERE = "1", "conversion_relay.facebook_business"
HASHED = hashlib.sha256(b"joe@eg.com").hexdigest()


@pytest.fixture
def relay():
    with Relay.testing() as relay:
        use_relay(relay)
        yield relay
        use_relay(None)


def written(**more):
    return {
        "event_name": "PageView",
        "event_time": int(time.time()),
        "user_data": {"em": HASHED, "fbp": "fb.1.1558571054389.1098115397"},
        **more,
    }


@pytest.mark.parametrize("form", [list, json.dumps, lambda data: [json.dumps(one) for one in data], tuple])
def test_a_pixels_create_event_keeps_events_that_are_dictionaries(relay, form):
    """facebook-python-business-sdk/examples/AdsPixelEventsPost.py"""
    FacebookAdsApi.init(access_token="EAAB-example")
    params = {"data": form([written(), written(event_id="2", custom_data={"value": "9.50", "currency": "USD"})])}
    answer = AdsPixel(PIXEL).create_event(fields=[], params=params)
    assert (answer["events_received"], answer.export_all_data()["messages"]) == (2, [])
    assert [event["user_data"]["em"] for event in relay.events] == [[HASHED], [HASHED]]
    assert relay.events[1]["custom_data"] == {"value": 9.5, "currency": "USD"}


def test_values_of_other_types_are_read_and_one_bad_event_costs_no_other(relay):
    good = written(event_name="Purchase", custom_data={"value": Decimal("9.50"), "currency": "USD"})
    answer = AdsPixel(PIXEL).create_event(params={"data": [good, written(custom_data=object()), "no json", None]})
    assert answer["events_received"] == 1
    assert [message.partition(" ")[0] for message in answer["messages"]] == ["events[1]", "events[2]", "events[3]"]


def test_nothing_of_a_person_is_in_what_is_said_of_an_event_that_is_none(relay):
    with pytest.raises(FacebookRequestError) as refused:
        AdsPixel(PIXEL).create_event(params={"data": [{"event_name": "joe@eg.com" * 9, "user_data": {"em": object()}}]})
    assert "joe" not in str(refused.value)


def test_a_batch_and_no_data_are_a_callers_mistakes(relay):
    with pytest.raises(TypeError, match="batch"):
        AdsPixel(PIXEL).create_event(params={"data": [written()]}, batch=object())
    for params in (None, {}, {"data": "no json"}):
        with pytest.raises(TypeError, match=r"events|data"):
            AdsPixel(PIXEL).create_event(params=params)


def test_an_answer_that_a_shops_test_makes_up_is_told_to_its_handler():
    """With `side_effect=FacebookRequestError(...)` shops test what they do when Meta refuses."""
    body = {"error": {"code": 190}}
    error = FacebookRequestError("refused", {"path": "/1/events"}, 400, {"x-fb-trace-id": "A"}, body)
    assert (error.body(), error.http_headers()) == (body, {"x-fb-trace-id": "A"})
    assert (error.http_status(), error.request_context()) == (400, {"path": "/1/events"})


def test_a_handler_of_the_sdks_exception_catches_what_is_refused(relay):
    request = importlib.import_module(HERE).EventRequest(pixel_id=PIXEL, events=[importlib.import_module(HERE).Event()])
    with pytest.raises(FacebookRequestError) as refused:
        request.execute()
    error = refused.value
    assert isinstance(error, InvalidEvent) and isinstance(error, FacebookError)
    assert (error.field, error.http_status(), error.api_error_code()) == ("event_name", 400, None)
    assert error.api_error_message() == error.get_message() == str(error) and not error.api_transient_error()


def test_an_answer_is_also_a_dictionary(relay):
    shim = importlib.import_module(HERE)
    event = shim.Event(event_name="Lead", event_time=int(time.time()), user_data=shim.UserData(email=HASHED))
    answer = shim.EventRequest(pixel_id=PIXEL, events=[event]).execute()
    assert answer.to_dict() == {"events_received": 1, "messages": [], "fbtrace_id": None}


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("", "FacebookAdsApi"),
        ("exceptions", "FacebookError FacebookRequestError FacebookBadObjectError FacebookBadParameterError"),
        ("adobjects.serverside.event", "Event ActionSource UserData CustomData MessagingChannel Preference"),
        ("adobjects.serverside.content", "Content DeliveryCategory"),
        ("adobjects.serverside.custom_data", "CustomData Content DeliveryCategory"),
        ("adobjects.serverside.user_data", "UserData Gender"),
        ("adobjects.serverside.event_request", "EventRequest EventResponse Event"),
    ],
)
def test_names_are_where_the_sdk_has_them_too(module, names):
    theirs, ours = (importlib.import_module(f"{root}.{module}".rstrip(".")) for root in ("facebook_business", HERE))
    for name in names.split():
        assert hasattr(theirs, name) and hasattr(ours, name), name
