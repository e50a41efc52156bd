"""What tools for tables and forms write flat is the event that was meant, through the whole door."""

import json

import pytest

from conversion_relay.intake.accept import Acceptance, Policy, Submission, accept
from conversion_relay.intake.flattened import unflattened
from conversion_relay.intake.members import read_members
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.meta.customer_information.hashing import digest

NOW = 1_795_435_200.0
BASE = {"event_name": "AddToCart", "event_time": str(int(NOW)), "event_id": "z1", "action_source": "physical-store"}
FLAT = {
    "brackets": "user_data[em] user_data[ph][0] custom_data[value] custom_data[contents][0][id]",
    "underscores": "user_data__em user_data__ph__0 custom_data__value custom_data__contents__0__id",
    "dots": "user_data.em user_data.ph.0 custom_data.value custom_data.contents.0.id",
    "camel": "userData[email] userData[phone][0] customData[value] customData[contents][0][id]",
}


def sealed(document) -> dict:
    event = read_event(json.dumps(document).encode())
    answer = accept(Submission(event=event), RequestFacts(), Policy(dataset="1"), now=NOW, entropy=bytes(10))
    assert isinstance(answer, Acceptance), answer
    return json.loads(answer.event.body)


@pytest.mark.parametrize("names", FLAT.values(), ids=FLAT)
def test_a_flat_event_is_the_event_that_was_meant(names):
    values = ["Joe@example.com", "+1 650 555 1212", "5.50", "SKU-1"]
    flat = dict(zip(names.split(), values, strict=True))
    sent = sealed(BASE | flat | {"custom_data[currency]": "usd"})
    assert sent["user_data"] == {"em": [digest("joe@example.com")], "ph": [digest("16505551212")]}
    assert sent["custom_data"] == {"value": 5.5, "currency": "USD", "contents": [{"id": "SKU-1"}]}
    assert sent["action_source"] == "physical_store"


def test_a_list_with_a_hole_is_a_list_in_user_data_too():
    em = {"0": "joe@example.com", "3": "ann@example.com"}
    sent = sealed(BASE | {"user_data": {"em": em}})
    assert sent["user_data"]["em"] == [digest("joe@example.com"), digest("ann@example.com")]


@pytest.mark.parametrize("names", ["a.b", "page[title]", "custom__x", "user_data", "user_data[]" * 20, "__", "[", "."])
def test_other_names_stay_what_they_are(names):
    assert unflattened({names: 1}) == {names: 1}


@pytest.mark.parametrize("name", [0, 5, None, 1.5, (), True])
def test_names_of_a_programs_dictionary_may_be_of_any_type(name):
    assert unflattened({name: 1, "user_data": {name: 1}}) == {name: 1, "user_data": {name: 1}}
    read = read_members({"event_name": "Lead", "user_data": {"em": {name: "joe@example.com"}, name: 1}})
    assert read.event_name == "Lead"


def test_what_an_object_says_itself_counts_first_and_odd_mixtures_raise_nothing():
    both = {"user_data": {"em": "a"}, "user_data[em]": "b", "user_data[fn]": "c"}
    assert unflattened(both) == {"user_data": {"em": "a", "fn": "c"}}
    assert unflattened({"custom_data[a]": 1, "custom_data[a][b]": 2}) == {"custom_data": {"a": 1}}
    assert unflattened({"custom_data[a][b]": 2, "custom_data[a]": 1}) == {"custom_data": {"a": {"b": 2}}}


def test_an_extinfo_keeps_its_sixteen_places_whatever_is_taken_out():
    """A null, or an address in the place of the carrier, would move all that stands behind it."""
    extinfo = ["i2", "com.shop", "1", "1", "17.1", "iPhone", "de_DE", "CET", "joe@example.com", None, *"123456"]
    flags = {"advertiser_tracking_enabled": "True", "application_tracking_enabled": "FALSE"}
    app = {"action_source": "app", "app_data": flags | {"extinfo": extinfo}, "user_data": {"em": "joe@example.com"}}
    sent = sealed(BASE | app)
    assert sent["app_data"]["extinfo"] == [*extinfo[:8], "", "", *"123456"]
    assert (sent["app_data"]["advertiser_tracking_enabled"], sent["app_data"]["application_tracking_enabled"]) == (1, 0)


def test_a_page_that_is_no_url_is_told_and_costs_nothing():
    members = {"event_source_url": "shop.example/x", "user_data": {"em": "j@x.example"}}
    event = read_event(json.dumps(BASE | members).encode())
    answer = accept(Submission(event=event), RequestFacts(), Policy(dataset="1"), now=NOW, entropy=bytes(10))
    assert isinstance(answer, Acceptance) and "event_source_url" not in json.loads(answer.event.body)
    assert [told.partition(":")[0] for told in answer.dropped] == ["event_source_url"] and answer.removed == ()
