"""A shop's code with the SDK's names: the same shapes, the same hashes where the SDK is right, and nothing is lost."""

import importlib
import inspect
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from types import SimpleNamespace

import msgspec
import pytest

from conversion_relay import InvalidEvent, Relay
from conversion_relay import facebook_business as shim
from conversion_relay.facebook_business import api
from tests import asgi
from tests.frameworks.shops import AGENT, FBP, HEADERS

OURS, THEIRS = "conversion_relay.facebook_business", "facebook_business"
NAMES = {
    "action_source": "ActionSource",
    "batch_processor": "BatchProcessor",
    "content": "Content",
    "custom_data": "CustomData",
    "delivery_category": "DeliveryCategory",
    "event": "Event",
    "event_request": "EventRequest",
    "event_request_async": "EventRequestAsync",
    "event_response": "EventResponse",
    "gender": "Gender",
    "messaging_channel": "MessagingChannel",
    "preference": "Preference",
    "user_data": "UserData",
}


@pytest.fixture
def collected():
    with Relay.testing() as relay:
        shim.use_relay(relay)
        yield relay
        shim.use_relay(None)


def both(module: str):
    path = f"adobjects.serverside.{module}"
    return [getattr(importlib.import_module(f"{package}.{path}"), NAMES[module]) for package in (OURS, THEIRS)]


@pytest.mark.parametrize("module", NAMES)
def test_each_class_is_at_the_sdks_path_and_takes_its_arguments_in_their_order(module):
    ours, theirs = both(module)
    if hasattr(theirs, "__members__"):
        assert {one.name: one.value for one in ours} == {one.name: one.value for one in theirs}
        return
    expected = [name for name in inspect.signature(theirs).parameters if name not in ("args", "kwargs")]
    assert list(inspect.signature(ours).parameters)[: len(expected)] == expected or module == "event_response"


PERSON = {
    "emails": ["Joe@EG.com ", "joe2@eg.com"],
    "phones": ["16505551212"],
    "first_name": "Joe",
    "last_name": "Smith",
    "date_of_birth": "19970216",
    "city": "menlopark",
    "state": "ca",
    "zip_code": "94035",
    "country_code": "us",
    "fbp": FBP,
    "client_user_agent": AGENT,
}


def event_of(package: str, **members):
    serverside = f"{package}.adobjects.serverside"
    made = {name: importlib.import_module(f"{serverside}.{name}") for name in NAMES}
    person = made["user_data"].UserData(**PERSON, gender=made["gender"].Gender.MALE)
    curbside = made["delivery_category"].DeliveryCategory.CURBSIDE
    content = made["content"].Content(product_id="p-1", quantity=2, item_price=4.5, delivery_category=curbside)
    worth = made["custom_data"].CustomData(
        currency="usd", value=9.0, contents=[content], content_ids=["p-1"], custom_properties={"plan": "gold"}
    )
    event = made["event"].Event(
        event_name="Purchase",
        event_time=int(time.time()),
        event_id="p-1",
        user_data=person,
        custom_data=worth,
        action_source=made["action_source"].ActionSource.WEBSITE,
        event_source_url="https://shop.example/checkout",
    )
    for name, value in members.items():
        setattr(event, name, value)
    return event


def test_meta_gets_what_the_sdk_would_have_sent(collected):
    """One message, made of the same members; where the SDK is wrong is in docs/differences.md."""
    now = int(time.time())
    (ours,) = shim.EventRequest("1", [event_of(OURS, event_time=now)]).normalize()
    theirs = event_of(THEIRS, event_time=now).normalize()
    assert {key: sorted(value) if isinstance(value, list) else value for key, value in ours["user_data"].items()} == {
        key: sorted(value) if isinstance(value, list) else value for key, value in theirs["user_data"].items()
    }
    content = dict(theirs["custom_data"]["contents"][0])
    assert ours["custom_data"]["contents"] == [content]
    rest = ("value", "content_ids", "plan")
    assert [ours["custom_data"][name] for name in rest] == [theirs["custom_data"][name] for name in rest]
    assert ours["custom_data"]["currency"].lower() == theirs["custom_data"]["currency"]
    for name in ("event_name", "event_time", "event_id", "action_source", "event_source_url"):
        assert ours[name] == theirs[name], name
    assert collected.events == [], "normalize keeps nothing"


def test_execute_keeps_the_events_and_counts_them(collected):
    response = shim.EventRequest(pixel_id="1", events=[event_of(OURS), event_of(OURS, event_id="p-2")]).execute()
    assert (response.events_received, response.messages, response.fbtrace_id) == (2, [], None)
    assert [event["event_id"] for event in collected.events] == ["p-1", "p-2"]


def test_one_bad_event_costs_no_other_and_is_named_without_its_value(collected):
    nobody = event_of(OURS, event_id="p-2", user_data=shim.UserData(email="jane at shop"))
    response = shim.EventRequest("1", [event_of(OURS), nobody]).execute()
    assert response.events_received == 1 and "events[1] was not kept: user_data" in response.messages[0]
    assert "jane" not in str(response)
    with pytest.raises(InvalidEvent):
        shim.EventRequest("1", [nobody]).execute()


def test_an_address_that_cannot_be_read_is_left_out_where_the_sdk_raises(collected):
    theirs = importlib.import_module("facebook_business.adobjects.serverside.user_data").UserData
    event = importlib.import_module("facebook_business.adobjects.serverside.event").Event
    with pytest.raises((ValueError, TypeError)):
        event(event_name="Lead", event_time=1, user_data=theirs(email="jane at shop")).normalize()
    person = shim.UserData(email="jane at shop", external_id="customer-7")
    response = shim.EventRequest("1", [event_of(OURS, user_data=person)]).execute()
    assert response.events_received == 1 and response.messages[0].startswith("events[0]: email[0]: ")


def test_many_events_go_by_the_batch_processor_and_by_await(collected):
    request = shim.EventRequestAsync(pixel_id="1", events=[])
    events = [event_of(OURS, event_id=f"p-{n}") for n in range(120)]

    async def beside_a_loop() -> None:
        shim.BatchProcessor(50, 2).process_events(request, events)

    asgi.run(beside_a_loop())
    assert len(collected.events) == 120

    async def in_the_loop() -> list[int]:
        steps = shim.BatchProcessor(50, 2).process_events_generator(request, events)
        return [one.events_received async for step in steps for one in step]

    assert asgi.run(in_the_loop()) == [50, 50, 20]
    awaited = shim.EventRequestAsync(pixel_id="1", events=[event_of(OURS, event_id="last")])
    assert asgi.run(awaited.execute()).events_received == 1


WSGI = {
    "REQUEST_METHOD": "GET",
    "HTTP_USER_AGENT": AGENT,
    "HTTP_COOKIE": f"_fbp={FBP}",
    "REMOTE_ADDR": "198.51.100.7",
}
DJANGO = SimpleNamespace(META=WSGI, scheme="https")


ASGI = {
    "headers": [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()],
    "client": ("198.51.100.7", 1),
}


@pytest.mark.parametrize("context", [DJANGO, WSGI, ASGI], ids=["Django", "WSGI", "ASGI"])
def test_the_visitors_request_fills_in_what_the_code_did_not_say(collected, context):
    event = shim.Event(event_name="Lead", user_data=shim.UserData(email="joe@eg.com"))
    shim.EventRequest("1", [event.setRequestContext(context)]).execute()
    person = collected.events[0]["user_data"]
    assert (person["fbp"], person["client_user_agent"], person["client_ip_address"]) == (FBP, AGENT, "198.51.100.7")


@pytest.mark.parametrize("kind", ["Django", "WSGI", "ASGI"])
def test_the_visitors_address_is_the_one_that_the_trusted_proxy_names(collected, kind):
    """RELAY_VIEWER_HEADER: else everybody's address is that of the content network."""
    told = msgspec.structs.replace(
        collected.settings, viewer_header="cf-connecting-ip", trusted_proxies=(ip_network("198.51.100.0/24"),)
    )
    collected.use(told)
    wsgi = WSGI | {"HTTP_CF_CONNECTING_IP": "203.0.113.9"}
    asgi_scope = ASGI | {"headers": [*ASGI["headers"], (b"cf-connecting-ip", b"203.0.113.9")]}
    context = {"Django": SimpleNamespace(META=wsgi, scheme="https"), "WSGI": wsgi, "ASGI": asgi_scope}[kind]
    event = shim.Event("Lead", user_data=shim.UserData(email="joe@eg.com")).set_request_context(context)
    shim.EventRequest("1", [event]).execute()
    for person in (collected.events[0]["user_data"], event.normalize()["user_data"]):
        assert person["client_ip_address"] == "203.0.113.9"


def test_what_is_not_preferred_is_not_filled_in(collected):
    none = shim.Preference(is_fbp_allowed=False, is_client_ip_address_allowed=False)
    event = shim.Event(event_name="Lead", user_data=shim.UserData(email="joe@eg.com"))
    shim.EventRequest("1", [event.set_request_context(ASGI, none)]).execute()
    assert {"fbp", "client_ip_address"}.isdisjoint(collected.events[0]["user_data"])


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: shim.EventRequest(events=[]), ValueError, "pixel_id"),
        (lambda: shim.EventRequest("1"), ValueError, "events"),
        (lambda: shim.EventRequest("2", []).execute(), ValueError, "not configured"),
        (lambda: shim.EventRequest("1", [], http_client=object()), TypeError, "leave it out"),
        (lambda: shim.Event().set_request_context(5), TypeError, "a request of Django"),
    ],
    ids=["no pixel", "no events", "another pixel", "a client", "no request"],
)
def test_a_mistake_is_told_with_its_remedy(collected, call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_no_person_is_in_what_a_traceback_would_show():
    shown = repr(event_of(OURS)) + repr(shim.UserData(**PERSON))
    assert "Joe" not in shown and "94035" not in shown and "emails" in shown


def test_two_first_requests_at_once_make_one_relay(monkeypatch, tmp_path):
    """Each Relay of the shim delivers; two would be two workers."""
    monkeypatch.setenv("META_PIXEL_ID", "1")
    monkeypatch.setenv("META_ACCESS_TOKEN", "EAAtoken")
    monkeypatch.setenv("RELAY_OUTBOX", f"sqlite:///{tmp_path}/outbox.db")
    shim.use_relay(None)
    made, together = [], threading.Barrier(4)
    later = threading.Event()

    class Slow(Relay):
        def __init__(self, settings, **how):
            later.wait(0.2)  # as long as the others need to see that none is there yet
            super().__init__(settings)
            made.append(self)

    def first(_):
        together.wait()
        return len(shim.EventRequest("1", [shim.Event("Lead", user_data=shim.UserData(external_id="7"))]).normalize())

    monkeypatch.setattr(api, "Relay", Slow)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(first, range(4))) == [1] * 4
    shim.use_relay(None)
    (relay,) = made
    relay.close()
