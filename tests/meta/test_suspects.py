"""Which event of a refused batch Meta may have meant, by subcode; and any JSON in the free members is judged."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.meta.validate import errors, is_suspect

NOW = 1_795_435_200
DAY = 86_400


def event(**more) -> dict:
    good = {"event_name": "Lead", "event_time": NOW, "action_source": "website", "user_data": {"em": ["0" * 64]}}
    return good | more


def purchase(**more) -> dict:
    return {"event_name": "Purchase", "custom_data": {"value": 9.5, "currency": "EUR"} | more}


def app(extinfo: list[str]) -> dict:
    return {"action_source": "app", "app_data": {"extinfo": extinfo}}


def message(**more) -> dict:
    return {"action_source": "business_messaging", "event_name": "Purchase"} | purchase() | more


SUBCODES = {
    2804003: {"event_time": NOW - 7 * DAY},
    2804009: purchase(value=None),
    2804010: purchase(currency=None),
    2804019: {"action_source": "app"},
    2804043: app([]),
    2804050: {"user_data": {}},
    2804063: message(),
    2804066: message(messaging_channel="whatsapp", event_name="Lead"),
}


@pytest.mark.parametrize("subcode", SUBCODES)
def test_an_event_is_suspect_for_the_subcode_of_its_own_fault_alone(subcode):
    body = msgspec.json.encode(event(**SUBCODES[subcode]))
    assert [other for other in SUBCODES if is_suspect(body, other, NOW)] == [subcode]


@pytest.mark.parametrize("subcode", [None, 2804036, 33, 1])
def test_without_a_subcode_that_a_rule_knows_nobody_is_suspect(subcode):
    assert not is_suspect(msgspec.json.encode(event(user_data={}, event_time=1)), subcode, NOW)


def test_an_event_becomes_suspect_when_it_grows_too_old():
    body = msgspec.json.encode(event())
    assert not is_suspect(body, 2804003, NOW)
    assert is_suspect(body, 2804003, NOW + 7 * DAY)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = ["value", "currency", "contents", "predicted_ltv", "net_revenue", "content_ids", "extinfo"]
FREE_FORM = st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=8), JSON, max_size=6)
SOURCES = ["website", "app", "business_messaging", "physical_store", "other"]
KEYS = st.sampled_from(["em", "ct", "db", "fn", "ln", "ge", "client_user_agent", "fbp", "anything"])


@given(
    st.fixed_dictionaries(
        {
            "event_name": st.sampled_from(["Lead", "Purchase"]) | st.text(max_size=60),
            "event_time": st.integers(),
            "action_source": st.sampled_from(SOURCES),
            "user_data": st.dictionaries(KEYS, JSON, max_size=4),
        },
        optional={
            "event_id": st.text(max_size=20),
            "custom_data": FREE_FORM,
            "app_data": FREE_FORM,
            "messaging_channel": st.text(max_size=5),
            "data_processing_options": st.none() | st.lists(JSON, max_size=3),
            "data_processing_options_country": JSON,
            "data_processing_options_state": JSON,
        },
    ),
    st.floats(0, 4e9),
)
def test_any_json_in_the_free_members_is_judged_and_raises_nothing(document, now):
    for finding in errors(document, now):
        assert finding.severity == "error" and finding.path
