"""The door takes a person out of every member of an event, whatever rule the member has, and tells so."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.event import Event, UserData
from conversion_relay.intake.accept import Acceptance, Policy, Submission, accept
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.scrub.members import VERBATIM, scrub_match_keys
from conversion_relay.intake.scrub.walk import Removed
from conversion_relay.meta.customer_information import PLAIN_KEYS
from conversion_relay.meta.customer_information.network import is_of_a_browser
from conversion_relay.personal_data import held

NOW = 1_795_435_200.0


def test_a_person_is_taken_out_of_every_member_and_told():
    event = Event(
        event_name="Lead",
        event_id="contact_+1 (650) 555-1212_1",
        event_source_url="https://shop.example/+16505551212",
        referrer_url="https://shop.example/?utm_term=joe%2540example.com&session=1",
        user_data=UserData(email="joe@example.com", anon_id="joe@example.com", ctwa_clid="ok", ig_sid="+16505551212"),
        messaging_channel="joe@example.com",
        customer_segmentation="new_customer",
        custom_data={"phone_number": "6505551212", "plan": "gold", "currency": "eur"},
        attribution_data={"note": "joe (at) example (dot) com"},
    )
    policy = Policy(dataset="1")
    answer = accept(Submission(event=event), RequestFacts(), policy, now=NOW, entropy=bytes(10))
    assert isinstance(answer, Acceptance)
    sent = json.loads(answer.event.body)
    assert sent["custom_data"] == {"plan": "gold", "currency": "EUR"}
    assert sent["customer_segmentation"] == "new_customer" and "messaging_channel" not in sent
    assert sent["event_source_url"] == "https://shop.example/-"
    assert sent["user_data"]["ctwa_clid"] == "ok" and not {"anon_id", "ig_sid"} & sent["user_data"].keys()
    assert {told.partition(":")[0] for told in answer.dropped} == {
        "messaging_channel",
        "custom_data.phone_number",
        "attribution_data.note",
        "event_source_url",
        "referrer_url",
        "event_id",
        "user_data.anon_id",
        "user_data.ig_sid",
    }
    assert "650" not in repr(answer) and "joe" not in repr(answer)
    assert ("custom_data", "name") in answer.removed and ("event_id", "phone") in answer.removed


def test_a_query_that_is_cut_by_the_rule_is_no_news():
    event = Event(event_name="Lead", user_data=UserData(email="a@b.example"), event_source_url="https://a.example/?x=1")
    answer = accept(Submission(event=event), RequestFacts(), Policy(dataset="1"), now=NOW, entropy=bytes(10))
    assert isinstance(answer, Acceptance) and answer.dropped == ()


def test_match_keys_without_a_form_of_their_own_are_looked_at():
    """A new key of Meta's is among them unless somebody says what form it has."""
    assert (
        {"client_user_agent", "anon_id", "subscription_id", "ctwa_clid", "page_id", "ig_sid"} <= VERBATIM < PLAIN_KEYS
    )


WORDS = st.lists(
    st.sampled_from(
        [
            *(
                "Mozilla/5.0",
                "(at)",
                "(dot)",
                "(Windows",
                "NT",
                "dot",
                "Dot",
                "at",
                "joe",
                "example",
                "com",
                "(650)",
                "+1",
            ),
            *(
                "rv:142.0)",
                "rv:49301234567",
                "WA.me",
                "tel:4930123456",
                "0049301234567",
                "/0049",
                "30123456",
                "wa.me/4930123456",
            ),
            *("x@y.example", "(", ")"),
        ]
    ),
    max_size=12,
)


@given(words=WORDS, between=st.sampled_from([" ", "", "  "]))
def test_what_is_taken_for_a_browser_holds_nobody(words, between):
    text = between.join(words)
    assert not is_of_a_browser(text) or held(text) is None


def test_most_browsers_are_known_at_a_look():
    assert is_of_a_browser(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    )


def test_two_copies_are_told_the_same_in_the_same_order():
    removed: list[Removed] = []
    scrub_match_keys(dict.fromkeys(sorted(VERBATIM), "joe@example.com"), removed)
    assert [one.field for one in removed] == [f"user_data.{name}" for name in sorted(VERBATIM)]


@pytest.mark.parametrize("form", ["first_name=Kanari&x=1", '{"first_name": "Kanari"}', "Handynummer: 0151 2345678"])
def test_a_form_in_a_match_key_without_a_form_of_its_own_goes(form):
    person = {"anon_id": form, "subscription_id": "s-1"}
    scrub_match_keys(person, removed := [])
    assert person == {"subscription_id": "s-1"}
    assert [one.field for one in removed] == ["user_data.anon_id"]
