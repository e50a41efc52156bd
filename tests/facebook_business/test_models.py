"""What public programs call on the SDK's shapes beside `execute`: `to_dict`, `normalize`, `get_params`, `Normalize`."""

import importlib
import json
import time

import pytest

from conversion_relay import InvalidEvent
from conversion_relay import facebook_business as shim
from conversion_relay.facebook_business.adobjects.serverside.normalize import Normalize
from tests.facebook_business.test_shim import NAMES, OURS, THEIRS, both, collected, event_of

__all__ = ["collected"]


def settled(found):
    """The SDK's lists are sets, whose order changes, and it writes a currency in small letters."""
    lists = {name: sorted(value) if isinstance(value, list) else value for name, value in found["user_data"].items()}
    return {**found, "user_data": lists, "custom_data": {**found["custom_data"], "currency": "USD"}}


def test_an_event_and_each_of_its_parts_are_normalized_as_by_the_sdk(collected):
    given = {"event_id": "purchase_1", "event_time": int(time.time())}
    ours, theirs = event_of(OURS, **given), event_of(THEIRS, **given)
    assert settled(ours.normalize()) == settled(theirs.normalize())
    assert ours.user_data.normalize() == ours.normalize()["user_data"]
    assert ours.custom_data.normalize() == theirs.custom_data.normalize() | {"currency": "USD"}
    assert ours.custom_data.contents[0].normalize() == theirs.custom_data.contents[0].normalize()
    assert collected.events == [], "nothing is kept"


@pytest.mark.usefixtures("collected")
def test_a_request_shows_what_meta_would_get_and_it_can_be_logged():
    event = shim.Event("Lead", int(time.time()), event_id="1", user_data=shim.UserData(email="joe@eg.com"))
    for kind in (shim.EventRequest, shim.EventRequestAsync):
        request = kind(pixel_id="1", events=[event], test_event_code="TEST1")
        params = request.get_params()
        assert params == {"test_event_code": "TEST1", "data": [event.normalize()]}
        assert "joe" not in json.dumps(params) + request.to_str() + event.to_str() + event.user_data.to_str()
        assert request.to_dict()["events"] == [event.to_dict()]


def test_a_program_needs_no_settings_to_look_at_an_event(monkeypatch):
    """As its tests do, where neither a pixel nor a token is."""
    for name in ("META_PIXEL_ID", "META_ACCESS_TOKEN", "RELAY_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RELAY_DEFAULT_COUNTRY", "DE")
    monkeypatch.setattr(shim.FacebookAdsApi, "_token", None)
    at_home = shim.UserData(phone="0170 1234567").normalize()
    assert at_home == shim.UserData(phone="+49 170 1234567").normalize() and len(at_home["ph"]) == 1


@pytest.mark.usefixtures("collected")
def test_an_event_that_no_request_would_keep_says_why_and_a_part_alone_is_not_judged():
    with pytest.raises(shim.FacebookRequestError) as refused:
        shim.Event("Purchase", user_data=shim.UserData(email="joe@eg.com")).normalize()
    assert isinstance(refused.value, InvalidEvent) and refused.value.field == "custom_data.value"
    lead = shim.Event("Lead", user_data=shim.UserData(email="joe@eg.com")).set_request_context({"headers": 5})
    with pytest.raises(shim.FacebookRequestError, match="request_context"):
        lead.normalize()
    assert shim.UserData().normalize() == shim.CustomData().normalize() == shim.Content().normalize() == {}


def test_what_a_program_sets_that_is_no_member_is_read_or_told(collected):
    """The SDK's classes take any attribute and lose it; public programs set `user_data.country` and `.zip`."""
    person, worth = shim.UserData(email="joe@eg.com", country_code="de"), shim.CustomData()
    person.country, person.zip, person.em, person.shoe = "US", "94035", "jane@eg.com", "joe@eg.com"  # type: ignore[attr-defined]
    worth.lead_event_source, worth._mine = "CRM", "mine"  # type: ignore[attr-defined]
    event = shim.Event("Lead", int(time.time()), user_data=person, custom_data=worth)
    event.colour = "red"  # type: ignore[attr-defined]
    answer = shim.EventRequest("1", [event]).execute()
    told = sorted(message.partition(": ")[2].partition(":")[0] for message in answer.messages)
    assert told == ["colour", "user_data.shoe"] and "joe" not in str(answer)
    (kept,) = collected.events
    assert kept["custom_data"] == {"lead_event_source": "CRM"}
    assert [len(kept["user_data"][key]) for key in ("em", "country", "zp")] == [2, 2, 1]


@pytest.mark.parametrize("name", ["user_data", "custom_data", "content", "event"])
def test_a_shape_is_built_anew_from_its_dictionary(name):
    """As a task does with its arguments. A generator gives its values once, and both ask for them."""
    kind, _ = both(name)
    member = {"user_data": "emails", "custom_data": "content_ids", "content": "title", "event": "custom_data"}[name]
    given = {"content": "a", "event": shim.CustomData(value=1)}.get(name) or (one for one in ["joe@eg.com", "a@b.de"])
    built = kind(**{member: given})
    assert kind(**built.to_dict()).to_dict() == built.to_dict()
    assert built.to_dict()[member]


@pytest.mark.parametrize(("field", "value"), [("em", " Joe@EG.com"), ("ph", "+1 (650) 555-1212"), ("zp", "94035-1234")])
def test_one_value_is_normalized_under_the_sdks_name(field, value):
    theirs = importlib.import_module(f"{THEIRS}.adobjects.serverside.normalize").Normalize
    assert Normalize.normalize_field(field, value) == theirs.normalize_field(field, value)
    expected = Normalize.hash_sha_256(Normalize.normalize_field_skip_hashing(field, value))
    assert (
        Normalize.normalize_field(field, value)
        == expected
        == theirs.hash_sha_256(theirs.normalize(field, value, False))
    )
    assert Normalize.normalize_field(field, None) is Normalize.normalize_field(field, "?") is None
    with pytest.raises(TypeError, match="match key"):
        Normalize.normalize_field("no key", value)


def test_every_shape_has_what_the_sdks_has():
    for module in NAMES:
        ours, theirs = both(module)
        public = {name for name in vars(theirs) if not name.startswith("_") and callable(getattr(theirs, name))}
        lacks = {name for name in public if not hasattr(ours, name)}
        lacks -= {"execute_with_client", "create_event"}  # of its transport
        assert lacks - {"validate_action_source", "validate_messaging_channel"} == set()
