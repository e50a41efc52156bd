"""Every reason to refuse an event: at its limit on both sides, never kinder than Meta, and never with a value in it."""

import json
from typing import get_args

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.emulator.rules import BROAD, judge
from conversion_relay.event import ActionSource
from conversion_relay.meta import reasons
from conversion_relay.meta.finding import Finding
from conversion_relay.meta.validate import CLOCK_SKEW, errors, expiry, is_number, is_suspect, money

NOW = 1_795_435_200
DAY = 86_400
SHA = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"
GOOD = {"event_name": "Lead", "event_time": NOW, "action_source": "website", "user_data": {"em": [SHA]}}
EXTINFO = ["a2", "com.shop", "", "", "14.1", *[""] * 11]
ALLOWED = {"advertiser_tracking_enabled": 1, "application_tracking_enabled": 1}
APP = {"action_source": "app", "app_data": ALLOWED | {"extinfo": EXTINFO}}
WHATSAPP = {"action_source": "business_messaging", "messaging_channel": "whatsapp"}
PAID = {"event_name": "Purchase", "custom_data": {"value": 1, "currency": "EUR"}}
SOURCES = get_args(ActionSource)


def found(**more) -> list[tuple[str, str, int | None]]:
    return [(f.code, f.path, f.subcode) for f in errors(GOOD | more, NOW)]


@pytest.mark.parametrize(
    "more",
    [
        {},
        PAID,
        APP,
        {"action_source": "app", "app_data": ALLOWED | {"extinfo": ["i2", "com.shop", 1, 1.5, *EXTINFO[4:]]}},
        WHATSAPP | PAID,
        WHATSAPP | {"event_name": "LeadSubmitted"},
        {"event_name": "x" * 50},
        {"event_name": "Anmeldung für Töpferkurs ✓"},
        {"event_id": ""},
        {"custom_data": {}},
        {"custom_data": {"value": "142.52", "currency": ""}},
        {"custom_data": {"contents": []}},
        {"custom_data": {"contents": [{"id": 1}, {"id": "a", "quantity": 2}]}},
        {"custom_data": {"net_revenue": -5, "predicted_ltv": 0.01}},
        {"data_processing_options": []},
        {"data_processing_options": ["LDU"], "data_processing_options_country": 0, "data_processing_options_state": 0},
        {"data_processing_options_country": 1, "data_processing_options_state": 1013},
        {"user_data": {"ct": [SHA], "db": [SHA]}},
        {"user_data": {"fn": [SHA], "ln": [SHA]}},
        {"event_time": NOW + CLOCK_SKEW},
    ],
    ids=str,
)
def test_what_meta_takes_gives_no_finding(more):
    assert found(**more) == []
    assert judge([GOOD | more], NOW) is None, "and the stand-in says the same"


@pytest.mark.parametrize(
    ("more", "code", "path", "subcode"),
    [
        ({"event_name": "x" * 51}, "event_name_too_long", "event_name", None),
        ({"event_name": " \t "}, "not_printable", "event_name", None),
        ({"event_name": "   "}, "not_printable", "event_name", None),
        ({"event_name": "Lead\u202e"}, "not_printable", "event_name", None),
        ({"event_name": "from joe@example.com"}, "personal_data", "event_name", None),
        ({"event_name": "joe (at) example (dot) com"}, "personal_data", "event_name", None),
        ({"event_name": "call 0049301234567"}, "personal_data", "event_name", None),
        ({"event_id": "  "}, "not_printable", "event_id", None),
        ({"event_id": "a\x00"}, "not_printable", "event_id", None),
        ({"event_id": "a\u2028b"}, "not_printable", "event_id", None),
        ({"event_time": NOW + CLOCK_SKEW + 1}, "event_time_in_the_future", "event_time", None),
        ({"user_data": {}}, "too_broad", "user_data", 2804050),
        ({"custom_data": {"value": -0.01}}, "not_an_amount", "custom_data.value", None),
        ({"custom_data": {"predicted_ltv": "much"}}, "not_an_amount", "custom_data.predicted_ltv", None),
        ({"custom_data": {"net_revenue": [1]}}, "not_an_amount", "custom_data.net_revenue", None),
        ({"custom_data": {"currency": "usd"}}, "not_a_currency", "custom_data.currency", None),
        ({"custom_data": {"currency": 978}}, "not_a_currency", "custom_data.currency", None),
        ({"custom_data": {"contents": {"id": 1}}}, "wrong_type", "custom_data.contents", 2804008),
        ({"custom_data": {"contents": ["id"]}}, "wrong_type", "custom_data.contents", 2804008),
        ({"event_name": "Purchase", "custom_data": {"currency": "EUR"}}, "missing_field", "custom_data.value", 2804009),
        ({"event_name": "Purchase", "custom_data": {"value": 0}}, "missing_field", "custom_data.currency", 2804010),
        ({"custom_data": {"predicted_ltv": 0}}, "not_an_amount", "custom_data.predicted_ltv", None),
        ({"action_source": "app"}, "missing_field", "app_data", 2804019),
        ({"action_source": "app", "app_data": ALLOWED}, "bad_extinfo", "app_data.extinfo", 2804043),
        (APP | {"app_data": ALLOWED | {"extinfo": EXTINFO[:15]}}, "bad_extinfo", "app_data.extinfo", 2804043),
        (APP | {"app_data": ALLOWED | {"extinfo": [*EXTINFO, ""]}}, "bad_extinfo", "app_data.extinfo", 2804043),
        (APP | {"app_data": ALLOWED | {"extinfo": ["x2", *EXTINFO[1:]]}}, "bad_extinfo", "app_data.extinfo", 2804043),
        (APP | {"app_data": ALLOWED | {"extinfo": ["a2", *[""] * 15]}}, "bad_extinfo", "app_data.extinfo", 2804043),
        ({"action_source": "business_messaging"} | PAID, "missing_field", "messaging_channel", 2804063),
        (WHATSAPP, "event_name_not_for_messaging", "event_name", 2804066),
        ({"data_processing_options": ["ldu"]}, "unknown_option", "data_processing_options", None),
        ({"data_processing_options": ["LDU", "x"]}, "unknown_option", "data_processing_options", None),
        ({"data_processing_options_country": 2}, "unknown_country_code", "data_processing_options_country", None),
        ({"data_processing_options_state": 1000}, "unknown_state_code", "data_processing_options_state", None),
        (
            {"data_processing_options_country": 1, "data_processing_options_state": 1014},
            "unknown_state_code",
            "data_processing_options_state",
            None,
        ),
    ],
    ids=str,
)
def test_each_reason_is_told_once_with_its_field_and_metas_subcode(more, code, path, subcode):
    assert found(**more) == [(code, path, subcode)]


def test_all_reasons_of_one_event_are_told_at_once():
    told = found(event_name="Purchase", event_id="\n", event_time=1, user_data={}, custom_data={"value": -1})
    assert [path for _, path, _ in told] == [
        "event_id",
        "event_time",
        "user_data",
        "custom_data.value",
        "custom_data.currency",
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_an_event_is_too_old_an_hour_before_meta_says_so(source):
    days = 62 if source == "physical_store" else 7
    oldest = NOW - days * DAY + 3_600
    more = {"app": APP, "business_messaging": WHATSAPP | {"event_name": "LeadSubmitted"}}.get(source, {})
    more = more | {"action_source": source}
    assert found(**more, event_time=oldest + 1) == []
    assert found(**more, event_time=oldest) == [("event_time_too_old", "event_time", 2804003)]
    assert expiry(oldest, source) == NOW
    assert str(days) in errors(GOOD | more | {"event_time": oldest}, NOW)[0].message


STRONG = ["em", "ph", "external_id", "fbp", "fbc", "client_ip_address", "lead_id", "madid"]
WEAK = sorted(set().union(*BROAD))


@given(keys=st.sets(st.sampled_from(WEAK)))
def test_weak_keys_alone_are_too_broad_exactly_where_metas_page_says_so(keys):
    told = found(user_data=dict.fromkeys(sorted(keys), "x"))
    assert bool(told) == any(keys <= broad for broad in BROAD)


@given(keys=st.sets(st.sampled_from(WEAK)), strong=st.sampled_from(STRONG))
def test_one_strong_key_is_enough_beside_any_weak_ones(keys, strong):
    assert found(user_data=dict.fromkeys([*sorted(keys), strong], "x")) == []


@pytest.mark.parametrize("amount", [0, 1, 0.1, 1e300, 10**30, "0", "12.50", "1e3", "7."])
def test_an_amount_is_any_finite_number_or_text_of_one(amount):
    assert is_number(amount)
    assert not money({"value": amount})


@pytest.mark.parametrize(
    "amount",
    [
        True,
        False,
        float("nan"),
        float("inf"),
        10**400,
        "",
        "12,50",
        "1_000",
        " 7",
        "7\n",
        "1e9999",
        "9" * 500,
        "€5",
        "5 EUR",
        "nan",
        "-inf",
        "١٢",
        "１２",
        {},
        [],
    ],
    ids=repr,
)
def test_what_is_no_amount_is_refused_in_each_of_the_three_places(amount):
    assert not is_number(amount)
    for key in ("value", "predicted_ltv", "net_revenue"):
        assert [f.path for f in money({key: amount})] == [f"custom_data.{key}"]


def test_every_currency_in_use_is_taken_and_metals_and_tests_are_not():
    codes = {currency.alpha_3 for currency in pycountry.currencies}
    refused = {code for code in codes if money({"currency": code})}
    assert refused == codes & {
        "XAG",
        "XAU",
        "XBA",
        "XBB",
        "XBC",
        "XBD",
        "XDR",
        "XPD",
        "XPT",
        "XSU",
        "XTS",
        "XUA",
        "XXX",
    }


@given(canary=st.text("qzjQZJ", min_size=8, max_size=8))
def test_no_finding_holds_a_value(canary):
    event = GOOD | {
        "event_name": f"{canary} {canary}@example.com\n" + "x" * 50,
        "event_id": f"{canary}\n",
        "custom_data": {"value": canary, "currency": canary, "contents": canary, "net_revenue": canary},
        "data_processing_options": [canary],
        "user_data": {"ct": canary},
    }
    told = errors(event, NOW)
    assert len(told) >= 8 and canary not in repr(told)


def test_every_sentence_names_a_remedy_and_a_page_of_metas():
    ready = [value for value in vars(reasons).values() if isinstance(value, Finding)]
    ready += [*reasons.PURCHASE_NEEDS.values(), reasons.too_old(7), reasons.not_an_amount("value"), reasons.blank("x")]
    assert len(ready) > 15
    for finding in ready:
        assert finding.severity == "error" and finding.message and finding.fix
        assert finding.link.startswith("https://developers.facebook.com/docs/")
        assert finding.subcode is None or 2_804_000 < finding.subcode < 2_805_000


def test_a_sealed_event_is_suspect_for_the_reason_that_our_rules_share_with_meta():
    sealed = json.dumps(GOOD | {"event_name": "Purchase"}).encode()
    assert is_suspect(sealed, 2804009, NOW) and is_suspect(sealed, 2804010, NOW)
    assert not is_suspect(sealed, 2804003, NOW) and not is_suspect(sealed, None, NOW)
    assert is_suspect(json.dumps(GOOD).encode(), 2804003, NOW + 8 * DAY), "it has become too old since"
