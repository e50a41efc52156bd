"""Limited Data Use is completed to what Meta takes, so that the visitor's wish is not lost with the event."""

import pytest

from conversion_relay.intake.options import complete_app_data, complete_options

LDU, COUNTRY, STATE = "data_processing_options", "data_processing_options_country", "data_processing_options_state"


@pytest.mark.parametrize(
    ("given", "country", "state", "told"),
    [
        ({LDU: ["LDU"]}, 0, 0, 2),
        ({LDU: ["ldu"]}, 0, 0, 2),
        ({LDU: ["LDU"], COUNTRY: 0}, 0, 0, 1),
        ({LDU: ["LDU"], STATE: 0}, 0, 0, 1),
        ({LDU: ["LDU"], COUNTRY: 0, STATE: 0}, 0, 0, 0),
        ({LDU: ["LDU"], COUNTRY: 1, STATE: 1000}, 1, 1000, 0),
        ({LDU: ["LDU"], STATE: 1000}, 1, 1000, 1),
        ({LDU: ["LDU"], COUNTRY: 1}, 1, None, 0),
        ({LDU: []}, None, None, 0),
        ({LDU: ["GDPR"]}, None, None, 0),
        ({COUNTRY: 1, STATE: 1000}, 1, 1000, 0),
    ],
)
def test_what_is_certain_is_completed_and_told(given, country, state, told):
    said: list[str] = []
    complete_options(given, lambda path, reason: said.append(path))
    assert (given.get(COUNTRY), given.get(STATE), len(said)) == (country, state, told)


@pytest.mark.parametrize(
    ("flag", "number"),
    [(True, 1), (False, 0), ("1", 1), ("false", 0), (1.0, 1), (1, 1), (0, 0), ("TRUE", 1), ("No", 0)],
)
def test_a_flag_of_an_app_is_a_number(flag, number):
    wire = {"app_data": {"advertiser_tracking_enabled": flag}}
    complete_app_data(wire)
    assert wire["app_data"] == {"advertiser_tracking_enabled": number}


@pytest.mark.parametrize("blank", ["", " ", "null", "undefined"])
def test_a_blank_beside_a_visitors_wish_costs_neither(blank):
    wire = {"data_processing_options": [blank, "LDU"]}
    complete_options(wire, lambda *_: None)
    assert wire["data_processing_options"] == ["LDU"] and wire[COUNTRY] == wire[STATE] == 0
    nothing = {"data_processing_options": [blank]}
    complete_options(nothing, lambda *_: None)
    assert nothing["data_processing_options"] == []


def test_extinfo_may_hold_whole_numbers_and_gaps():
    wire = {"app_data": {"extinfo": ["a2", None, 320, 320.0, 1.5]}}
    complete_app_data(wire)
    assert wire["app_data"]["extinfo"] == ["a2", "", 320, 320, 1.5]
    wire = {"app_data": {"extinfo": {"0": "i2", "4": "17", "2": "1.0"}}}
    complete_app_data(wire)
    assert wire["app_data"]["extinfo"][:5] == ["i2", "", "1.0", "", "17"] and len(wire["app_data"]["extinfo"]) == 16
    for other in ("x", None, {"a": 1}, '["a2"]'):
        complete_app_data({"app_data": {"extinfo": other}})
