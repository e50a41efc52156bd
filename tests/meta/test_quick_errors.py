"""An event that the quick look finds right is one in which the rules, asked one by one, find nothing."""

from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.meta.validate import contents, errors, expiry, money

NOW = 1_795_435_200
AMOUNTS = st.sampled_from([0, 1, 2.5, -1, float("nan"), float("inf"), "1.50", "1,000", True, None, [], 10**400])
CUSTOM = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("value", "predicted_ltv", "net_revenue"), AMOUNTS),
        "currency": st.sampled_from(["USD", "usd", "XYZ", "", None, [], {}]),
        "contents": st.lists(
            st.sampled_from(
                [{"id": "a"}, {"id": 0}, {"id": ""}, {"id": "a", "x": 1}, {}, "a", {"id": 5, "quantity": 1}]
            )
        ),
        "order_id": st.just("a"),
    },
)
EVENTS = st.fixed_dictionaries(
    {
        "event_name": st.sampled_from(
            ["Lead", "Purchase", "quiz_done", "Ünder", "a b", "_0049301234567", "x" * 51, " "]
        ),
        "event_time": st.integers(NOW - 63 * 86_400, NOW + 400) | st.sampled_from([NOW, NOW - 7 * 86_400 + 3_600]),
        "action_source": st.sampled_from(["website", "physical_store", "app", "business_messaging", "other"]),
        "user_data": st.sampled_from([{"em": ["a"]}, {"ct": ["a"], "st": ["b"]}, {}, {"fbp": "x"}]),
    },
    optional={
        "event_id": st.sampled_from(["a", " ", "", "a\x7f"]),
        "custom_data": CUSTOM,
        "messaging_channel": st.sampled_from(["whatsapp", "x"]),
        "data_processing_options": st.sampled_from([[], ["LDU"]]),
    },
)


@given(EVENTS)
def test_no_rule_has_anything_to_say_where_nothing_is_found(event):
    found = {finding.path for finding in errors(event, NOW)}
    custom = event.get("custom_data", {})
    # Limited data use without its numbers sends every event through the rules one by one.
    slow = errors(event | {"data_processing_options": ["LDU"]}, NOW)
    assert found >= {f.path for f in slow if not f.path.startswith("data_processing")}
    assert found >= {finding.path for finding in [*money(custom), *contents(custom)]}
    if not found:
        assert expiry(event["event_time"], event["action_source"]) > NOW
