"""What Meta takes and makes little of is told by severity, field and page, and refuses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.event import STANDARD_EVENT_NAMES
from conversion_relay.meta.advice import advise
from conversion_relay.meta.validate import errors

NOW = 1_795_435_200
SHA = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"
BEST = {
    "event_name": "Purchase",
    "event_time": NOW,
    "event_id": "purchase_1",
    "action_source": "website",
    "event_source_url": "https://shop.example/thanks",
    "user_data": {"em": [SHA], "client_user_agent": "Mozilla/5.0", "client_ip_address": "8.8.4.4"},
    "custom_data": {"value": 12.5, "currency": "EUR", "contents": [{"id": "a", "quantity": 1}]},
}
NO_ADDRESS = {"em": [SHA], "client_user_agent": "Mozilla/5.0"}
LDU = {
    "data_processing_options": ["LDU"],
    "data_processing_options_country": 0,
    "data_processing_options_state": 0,
}
CALIFORNIA = {"data_processing_options_country": 1, "data_processing_options_state": 1000}
APP = {"action_source": "app", "app_data": {"advertiser_tracking_enabled": 1, "extinfo": ["i2", *["1"] * 15]}}


def told(event: dict) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.code, finding.path) for finding in advise(event)]


def without(*names: str) -> dict:
    return {name: value for name, value in BEST.items() if name not in names}


def custom(**more) -> dict:
    return BEST | {"custom_data": BEST["custom_data"] | more}


@pytest.mark.parametrize(
    "event",
    [
        BEST,
        BEST | {"event_name": "Töpfern"},
        BEST | {"action_source": "physical_store", "user_data": {"em": [SHA]}},
        without("event_source_url") | {"action_source": "email"},
        custom(contents=None, content_ids=["a"]),
        custom(content_type="product_group"),
        BEST | LDU,
        BEST | LDU | {"user_data": NO_ADDRESS} | CALIFORNIA,
        BEST | {"opt_out": False},
        BEST | APP,
        BEST | {"data_processing_options_country": 0, "data_processing_options_state": 0},
        custom(net_revenue=-2, delivery_category="curbside"),
    ],
    ids=str,
)
def test_there_is_nothing_to_say_about_an_event_that_is_as_good_as_it_can_be(event):
    assert told(event) == []


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (without("event_source_url"), ("warning", "missing_field", "event_source_url")),
        (BEST | {"user_data": {"em": [SHA]}}, ("warning", "missing_field", "user_data.client_user_agent")),
        (without("event_id"), ("hint", "missing_field", "event_id")),
        (BEST | {"event_id": ""}, ("hint", "missing_field", "event_id")),
        (BEST | {"event_name": "addtocart"}, ("warning", "event_name_case", "event_name")),
        (BEST | {"event_name": "Add to cart"}, ("warning", "event_name_case", "event_name")),
        (BEST | {"event_name": "begin_checkout"}, ("warning", "event_name_case", "event_name")),
        (BEST | {"event_name": "Product Added"}, ("warning", "event_name_case", "event_name")),
        (custom(value="12.50"), ("hint", "text_amount", "custom_data.value")),
        (custom(value=0), ("warning", "worth_nothing", "custom_data.value")),
        (custom(value=0.0), ("warning", "worth_nothing", "custom_data.value")),
        (custom(contents=[]), ("hint", "missing_field", "custom_data.contents")),
        (custom(content_type="hotel"), ("hint", "unusual_content_type", "custom_data.content_type")),
        (custom(**{"my own": 1}), ("hint", "property_name", "custom_data")),
        (custom(**{"my\u3000own": 1}), ("hint", "property_name", "custom_data")),
        (BEST | {"opt_out": True}, ("hint", "opt_out_is_no_consent", "opt_out")),
        (BEST | LDU | {"user_data": NO_ADDRESS}, ("warning", "cannot_be_placed", "data_processing_options_state")),
        (BEST | CALIFORNIA, ("warning", "place_without_option", "data_processing_options")),
        (
            BEST | {"data_processing_options": [], "data_processing_options_country": 1},
            ("warning", "place_without_option", "data_processing_options"),
        ),
        (
            custom(contents=[{"id": "a", "quantity": 1}, {"id": "b"}]),
            ("warning", "missing_field", "custom_data.contents.quantity"),
        ),
        (
            custom(contents=[{"id": "a", "quantity": 1, "delivery_category": "drone"}]),
            ("warning", "unknown_delivery_category", "custom_data.contents.delivery_category"),
        ),
        (
            custom(delivery_category="In Store"),
            ("warning", "unknown_delivery_category", "custom_data.delivery_category"),
        ),
        (custom(net_revenue=12.5), ("hint", "profit_is_value", "custom_data.net_revenue")),
        (
            BEST | {"event_name": "Lead", "custom_data": {"net_revenue": 3}},
            ("warning", "missing_field", "custom_data.currency"),
        ),
        (BEST | {"app_data": {"idfa": "x"}}, ("warning", "unknown_field", "app_data")),
        (BEST | {"original_event_data": {"value": 1}}, ("warning", "unknown_field", "original_event_data")),
        (BEST | {"attribution_data": {"model": "x"}}, ("warning", "unknown_field", "attribution_data")),
        (
            BEST | APP | {"app_data": APP["app_data"] | {"advertiser_tracking_enabled": True}},
            ("warning", "not_a_flag", "app_data.advertiser_tracking_enabled"),
        ),
        (
            BEST | APP | {"app_data": APP["app_data"] | {"application_tracking_enabled": False}},
            ("warning", "not_a_flag", "app_data.application_tracking_enabled"),
        ),
    ],
    ids=str,
)
def test_one_weakness_is_one_finding(event, expected):
    assert told(event) == [expected]
    assert errors(event, NOW) == [], "Meta takes it all the same"


@pytest.mark.parametrize(
    ("seconds", "severity"), [(0, None), (3_599, None), (3_601, "hint"), (7_201, "warning"), (90_000, "warning")]
)
def test_an_event_that_comes_late_is_told_that_it_has_lost_worth(seconds, severity):
    late = [finding for finding in advise(BEST, NOW + seconds) if finding.code == "late"]
    assert [finding.severity for finding in late] == ([severity] if severity else [])
    assert not [f for f in advise(BEST | {"action_source": "physical_store"}, NOW + seconds) if f.code == "late"]
    assert errors(BEST, NOW + seconds) == []


@pytest.mark.parametrize("name", sorted(STANDARD_EVENT_NAMES))
def test_a_standard_name_in_any_other_case_is_pointed_at_the_right_one(name):
    for wrong in {name.lower(), name.upper(), name[0].lower() + name[1:]} - {name}:
        (finding,) = (f for f in advise(BEST | {"event_name": wrong}) if f.code == "event_name_case")
        assert finding.fix == f"send {name}"
    assert not [f for f in advise(BEST | {"event_name": name}) if f.code == "event_name_case"]


def test_a_value_of_nothing_is_a_fault_of_purchases_alone():
    assert told(custom(value=0) | {"event_name": "Lead"}) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(
    custom_data=st.dictionaries(
        st.sampled_from(["value", "content_type", "contents", "my own", "x", "net_revenue", "delivery_category"]), JSON
    ),
    members=st.dictionaries(st.sampled_from(["app_data", "original_event_data", "attribution_data"]), JSON),
    name=st.sampled_from(["Purchase", "purchase", "Lead", "自分の"]),
    opt_out=JSON,
)
def test_advice_never_raises_never_refuses_and_never_quotes(custom_data, members, name, opt_out):
    canary = "Qx7canaryQx7"
    event = BEST | {"event_name": name, "custom_data": custom_data | {"note": canary, canary: 1}, "opt_out": opt_out}
    findings = list(advise(event | members, NOW))
    assert {finding.severity for finding in findings} <= {"warning", "hint"}
    assert canary not in repr(findings)
    assert all(f.fix and f.link.startswith("https://developers.facebook.com/docs/") for f in findings)


@pytest.mark.parametrize(
    ("seconds_before", "appendix", "code"),
    [
        (60, "", None),
        (0, ".AQICAQMC", None),
        (-200, "", None),  # clocks differ
        (-301, "", "click_after_event"),
        (-7_200, ".AQICAQMC", "click_after_event"),
        (90 * 86_400, "", None),
        (90 * 86_400 + 1, "", "old_click"),
        (400 * 86_400, ".Bg", "old_click"),
    ],
)
def test_a_click_that_led_to_nothing_is_told(seconds_before, appendix, code):
    person = BEST["user_data"] | {"fbc": f"fb.1.{(NOW - seconds_before) * 1000}.AbC{appendix}"}
    found = [finding.code for finding in advise(BEST | {"user_data": person}) if finding.path == "user_data.fbc"]
    assert found == ([code] if code else [])


@pytest.mark.parametrize(
    "fbc", ["", "fb.1.x.AbC", "fb.1.1596403881.AbC", "fb.1.\u0661596403881668.AbC", 7, ["a"], None]
)
def test_of_what_is_no_click_id_its_own_rule_speaks(fbc):
    person = BEST["user_data"] | {"fbc": fbc}
    assert not [finding for finding in advise(BEST | {"user_data": person}) if finding.path == "user_data.fbc"]
