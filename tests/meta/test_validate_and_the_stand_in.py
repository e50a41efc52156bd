"""`validate` is never kinder than Meta's stand-in, which has its own rules: by the table, and on random events."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.emulator.rules import BROAD, judge
from conversion_relay.event import ActionSource
from conversion_relay.meta.validate import as_it_stands, door_mistakes, errors, is_suspect
from tests.emulator.refused import DAY, EXTINFO, GOOD, HOUR, ITEM, NOW, REFUSED, SHA, TAKEN

MENDED = {"custom_data.value", "custom_data.net_revenue", "custom_data.predicted_ltv", "user_data.fbc"}


def findings(event: dict) -> list:
    return [*errors(event, NOW), *door_mistakes(event)]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.what)
def test_what_the_stand_in_refuses_is_an_error_with_its_field_and_a_remedy(case):
    told = findings(GOOD | case.more)
    assert case.path in {finding.path for finding in told}
    (finding, *_) = (finding for finding in told if finding.path == case.path)
    assert finding.severity == "error" and finding.message and finding.fix
    if case.recorded and case.subcode != 2804003:
        assert finding.subcode == case.subcode


@pytest.mark.parametrize("more", TAKEN.values(), ids=TAKEN.keys())
def test_what_it_takes_is_no_error(more):
    assert findings(GOOD | more) == []


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.what)
def test_what_the_door_mends_is_found_in_the_document_as_it_stands(case):
    """Contents, options, amounts and click ids: the door takes them off or completes them, and would be silent."""
    is_mended = case.path.startswith(("custom_data.contents", "data_processing")) or case.path in MENDED
    if is_mended and "later" not in case.what:
        assert case.path in {finding.path for finding in as_it_stands(GOOD | case.more)}


@pytest.mark.parametrize(
    "case", [case for case in REFUSED if case.recorded and case.subcode], ids=lambda case: case.what
)
def test_an_event_is_suspect_for_the_subcode_that_meta_gives_for_its_fault(case):
    assert is_suspect(msgspec.json.encode(GOOD | case.more), case.subcode, NOW)


WEAK = sorted(set().union(*BROAD))
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=4), st.just([]), st.just({})
)
CLICK = st.from_regex(r"(fb\.1\.)?[0-9]{0,13}\.?[A-Za-z0-9_-]{0,4}(\.AQ)?", fullmatch=True)
DIGESTS = st.sampled_from([SHA, [SHA], [SHA, SHA], SHA.upper(), f"{SHA}.AQ", f"{SHA}.AQICAQMC", "joe@example.com", [7]])
AMOUNTS = st.sampled_from([0, 1, 12.5, -3, "12.5", "-1", "0.00", " 5", "1_0", "1e3", "1e999", ".5", "5.", "٣", 10**400])
MOMENTS = st.sampled_from([NOW - age for age in (-DAY, 0, HOUR, 47 * HOUR, 48 * HOUR, 49 * HOUR, 7 * DAY, 8 * DAY)])
ITEMS = st.dictionaries(
    st.sampled_from(["id", "quantity", "item_price", "title", "delivery_category", "item_name", "index", "variant"]),
    st.one_of(JUNK, st.just("a1")),
    max_size=4,
)
ORIGINAL = st.fixed_dictionaries(
    {},
    optional={
        "event_time": st.one_of(MOMENTS, MOMENTS.map(str), JUNK),
        "event_id": st.sampled_from(["e1", "", None]),
        "order_id": st.sampled_from(["o1", ""]),
        "event_name": st.just("Purchase"),
    },
)
EVENTS = st.fixed_dictionaries(
    {
        "event_name": st.sampled_from(
            ["Lead", "Purchase", "LeadSubmitted", "AppendValue", "AppendAttribution", "x" * 51, "a\nb"]
        ),
        "event_time": st.one_of(MOMENTS, st.integers(NOW - 64 * DAY, NOW + 2_000)),
        "action_source": st.sampled_from(get_args(ActionSource)),
        "user_data": st.dictionaries(
            st.sampled_from([*WEAK, "em", "external_id", "fbp", "lead", "email", "whatsapp_business_account_id"]),
            DIGESTS,
            max_size=4,
        ).flatmap(lambda keys: st.builds(lambda fbc: keys | fbc, st.just({}) | st.builds(dict, fbc=CLICK | JUNK))),
    },
    optional={
        "event_id": st.text(max_size=5),
        "custom_data": st.fixed_dictionaries(
            {},
            optional={
                "value": JUNK | AMOUNTS,
                "predicted_ltv": JUNK | AMOUNTS,
                "net_revenue": JUNK | AMOUNTS,
                "currency": JUNK | st.sampled_from(["USD", "usd", "ZZZ", "EURO"]),
                "contents": JUNK | st.lists(st.just(ITEM) | ITEMS | JUNK, max_size=3) | st.just('[{"id": 1}]'),
                "colour": JUNK,
            },
        ),
        "app_data": st.fixed_dictionaries(
            {},
            optional={
                "extinfo": JUNK | st.just(EXTINFO),
                "advertiser_tracking_enabled": JUNK | st.sampled_from([0, 1, True, "1", "yes"]),
            },
        ),
        "messaging_channel": st.sampled_from(["whatsapp", "messenger", "instagram", "WhatsApp", "sms", "", None]),
        "data_processing_options": st.lists(st.sampled_from(["LDU", "LDU", "x"]), max_size=2) | JUNK,
        "data_processing_options_country": st.sampled_from([0, 1, 2, None, True, "0"]),
        "data_processing_options_state": st.sampled_from([0, 1000, 1013, 1014, None, False, "0"]),
        "original_event_data": ORIGINAL,
        "attribution_data": st.sampled_from([{}, {"attribution_share": 1}]),
        "advertiser_tracking_enabled": st.just(1),
        "colour": JUNK,
    },
)
ADDED = st.fixed_dictionaries(
    {},
    optional={
        "custom_data": st.fixed_dictionaries(
            {}, optional={"predicted_ltv": AMOUNTS, "contents": st.lists(ITEMS, max_size=2)}
        ),
        "data_processing_options_state": st.sampled_from([0, 1000, None]),
        "original_event_data": ORIGINAL,
    },
)
NEARLY = st.builds(lambda more, added: GOOD | more | added, st.sampled_from([*TAKEN.values()]), ADDED)
"""Events that Meta takes but for one or two members."""


@given(event=EVENTS | NEARLY)
def test_what_passes_here_passes_at_metas_stand_in(event):
    if not findings(event):
        refused = judge([event], NOW)
        assert refused is None, refused


@given(event=EVENTS | NEARLY)
def test_no_json_makes_either_of_them_raise_or_show_a_value(event):
    canary = "Qx7canaryQx7"
    event = event | {"custom_data": event.get("custom_data", {}) | {"contents": [{"id": 1, f"é{canary}": canary}]}}
    told = [*findings(event), *as_it_stands(event)]
    assert told and canary not in repr(told)
    assert judge([event], NOW) is not None
