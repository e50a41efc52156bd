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
from conversion_relay.facebook_business.adobjects.serverside.event import Event
from conversion_relay.facebook_business.adobjects.serverside.event_request import EventRequest
from conversion_relay.facebook_business.adobjects.serverside.event_request_async import EventRequestAsync
from conversion_relay.facebook_business.adobjects.serverside.user_data import UserData
from conversion_relay.facebook_business.exceptions import FacebookError, FacebookRequestError
from tests.asgi import run

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


@pytest.mark.parametrize("in_ascii", [True, False])
def test_two_events_whose_ids_are_cut_in_an_emoji_are_two(relay, in_ascii):
    cut = [json.dumps(written(event_id=f"mug {half}"), ensure_ascii=in_ascii) for half in ("\ud83d", "\ud83e")]
    assert AdsPixel(PIXEL).create_event(params={"data": cut})["events_received"] == 2
    assert len({event["event_id"] for event in relay.events}) == 2


def test_values_of_other_types_are_read_and_one_bad_event_costs_no_other(relay):
    good = written(event_name="Purchase", custom_data={"value": Decimal("9.50"), "currency": "USD"})
    answer = AdsPixel(PIXEL).create_event(params={"data": [good, written(custom_data=object()), "no json", None]})
    assert answer["events_received"] == 1
    assert [message.partition(" ")[0] for message in answer["messages"]] == ["events[1]", "events[2]", "events[3]"]


def test_nothing_of_a_person_is_in_what_is_said_of_an_event_that_is_none(relay):
    with pytest.raises(FacebookRequestError) as refused:
        AdsPixel(PIXEL).create_event(params={"data": [{"event_name": "joe@eg.com" * 9, "user_data": {"em": object()}}]})
    assert "joe" not in str(refused.value)


@pytest.mark.parametrize("form", [list, json.dumps, lambda data: [json.dumps(one) for one in data]])
def test_a_no_beside_the_data_is_about_each_event(relay, form):
    no = {"opt_out": True, "data_processing_options": ["LDU"], "partner_agent": object()}
    AdsPixel(PIXEL).create_event(params={"data": form([written(), written(opt_out=False)]), **no})
    assert [(event["opt_out"], event["data_processing_options"]) for event in relay.events] == [(True, ["LDU"])] * 2
    with pytest.raises(FacebookRequestError, match="consent"):  # nobody can read it: it may be a "no"
        AdsPixel(PIXEL).create_event(params={"data": form([written(consent="granted")]), "consent": object()})
    assert len(relay.events) == 2


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


@pytest.mark.parametrize("kind", [EventRequest, EventRequestAsync])
@pytest.mark.parametrize("unset", ["", "  ", "undefined", "None", None])
def test_a_test_code_that_is_not_set_makes_no_test_of_the_events(relay, kind, unset):
    """`test_event_code=os.getenv("TEST_CODE", "")` must not send past the outbox."""
    request = kind(
        pixel_id=PIXEL, events=[Event("Lead", user_data=UserData(email="joe@eg.com"))], test_event_code=unset
    )
    answer = request.execute() if kind is EventRequest else run(request.execute())
    assert answer.events_received == len(relay.events) == 1
    assert "test_event_code" not in request.get_params()


def test_events_of_a_test_that_meta_did_not_take_are_told(relay):
    events = [Event("Lead", user_data=UserData(email="joe@eg.com")) for _ in range(2)]
    answer = EventRequest(pixel_id=PIXEL, events=events, test_event_code="TEST1").execute()
    assert answer.events_received == 0  # a relay in tests calls nobody
    (told,) = answer.messages
    assert told.startswith("Meta did not take 2 events under the test code: ")


def test_what_meta_said_to_a_test_that_it_refused_is_told(meta_emulator, tmp_path, monkeypatch):
    for name, value in {**meta_emulator.env, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}.items():
        monkeypatch.setenv(name, value)
    meta_emulator.misbehave("token_expired")
    with Relay.from_env() as relay:
        use_relay(relay)
        events = [Event("Lead", user_data=UserData(email="joe@eg.com"))]
        answer = EventRequest(meta_emulator.env["META_PIXEL_ID"], events, test_event_code="TEST1").execute()
        use_relay(None)
    assert answer.events_received == 0 and answer.messages[0].startswith("Meta did not take 1 events")
