"""Rules of one kind of event alone, at their limits; what they share with the stand-in stands in refused.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.meta.event_kinds import (
    ATTRIBUTION_SECONDS,
    MARGIN_SECONDS,
    VALUE_SECONDS,
    app,
    channel,
    data_processing,
    later,
    messaging,
)
from tests.emulator.refused import APP, ATTRIBUTION, EXTINFO, GOOD, LATER_VALUE, NOW, WHATSAPP, original


@pytest.mark.parametrize(("event", "within"), [(ATTRIBUTION, ATTRIBUTION_SECONDS), (LATER_VALUE, VALUE_SECONDS)])
@pytest.mark.parametrize("form", [int, str])
def test_something_later_is_taken_until_an_hour_before_metas_limit(event, within, form):
    last = NOW - within + MARGIN_SECONDS
    assert later(original(GOOD | event, event_time=form(last + 1)), NOW) == []
    (finding,) = later(original(GOOD | event, event_time=form(last)), NOW)
    assert finding.path == "original_event_data.event_time" and str(within // 3_600) in finding.message


def test_all_that_a_later_value_lacks_is_told_at_once():
    told = [finding.path for finding in later(GOOD | {"event_name": "AppendValue"}, NOW)]
    assert told == ["custom_data.predicted_ltv", "custom_data.currency", "original_event_data"]


@pytest.mark.parametrize("parts", [{0: "i2"}, {2: 1, 3: 1.5, 9: 1080}, {4: 17}])
def test_extinfo_holds_texts_and_numbers(parts):
    assert app(APP["app_data"] | {"extinfo": [parts.get(at, part) for at, part in enumerate(EXTINFO)]}) == []


@pytest.mark.parametrize("parts", [{0: "x2"}, {4: ""}, {4: 0}, {5: None}, {5: True}, {5: []}])
def test_and_nothing_else(parts):
    extinfo = [parts.get(at, part) for at, part in enumerate(EXTINFO)]
    assert [finding.subcode for finding in app(APP["app_data"] | {"extinfo": extinfo})] == [2804043]


@pytest.mark.parametrize("flag", [0, 1, True, False, "0", "1"])
def test_a_flag_may_be_written_in_six_ways(flag):
    assert app(APP["app_data"] | {"advertiser_tracking_enabled": flag}) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(one=JSON, two=JSON, three=JSON)
def test_any_json_is_judged_without_an_error(one, two, three):
    app(one)
    app({"extinfo": one, "advertiser_tracking_enabled": two})
    for name in ("AppendValue", "AppendAttribution"):
        event = GOOD | {"event_name": name, "original_event_data": one, "custom_data": two, "attribution_data": three}
        later(event, NOW)
        later(event | {"original_event_data": {"event_time": one, "event_id": two}}, NOW)
    data_processing(
        {
            "data_processing_options": one,
            "data_processing_options_country": two,
            "data_processing_options_state": three,
        }
    )
    channel(WHATSAPP | {"messaging_channel": one})
    messaging(WHATSAPP | {"event_name": "Lead"})
