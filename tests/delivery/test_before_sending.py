"""What is settled without asking Meta, and which reason wins where several hold."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.delivery.before_sending import (
    DEDUPLICATION_SECONDS,
    FUTURE_SECONDS,
    before_sending,
    is_late,
    may_all_be_sent,
)
from conversion_relay.outbox.protocol import LeasedEvent
from conversion_relay.outbox.verdict import Dead, Expired, Hold, RetryAt, Withhold
from conversion_relay.settings import Settings
from tests.delivery.standins import NOW

TWO_DAYS = 48 * 3_600


def settings(**environ: str) -> Settings:
    return Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAx"} | environ)


SEND, WITHHOLD = settings(RELAY_CONSENT="send"), settings(RELAY_CONSENT="withhold")
LEASED = LeasedEvent(
    key=1,
    event_name="Lead",
    event_id="e",
    event_time=int(NOW),
    expires_at=int(NOW) + 600,
    attempts=0,
    sent_at=None,
    intact=True,
    body=b"{}",
)


def leased(**changes: object) -> LeasedEvent:
    return msgspec.structs.replace(LEASED, **changes)


def test_what_is_whole_young_and_unsent_may_go():
    assert before_sending(LEASED, SEND, NOW) is None


@pytest.mark.parametrize(("seconds", "verdict"), [(-1, Expired()), (0, Expired()), (1, None)])
def test_an_event_expires_at_the_second_that_it_names(seconds, verdict):
    assert before_sending(leased(expires_at=int(NOW) + seconds), SEND, NOW) == verdict


@pytest.mark.parametrize(
    ("policy", "consent", "verdict"),
    [
        (SEND, None, None),
        (SEND, "granted", None),
        (SEND, "withdrawn", Withhold("withdrawn")),
        (WITHHOLD, None, Withhold("withheld")),
        (WITHHOLD, "granted", None),
        (WITHHOLD, "withdrawn", Withhold("withdrawn")),
    ],
)
def test_silence_is_consent_only_where_the_operator_says_so_and_a_refusal_never_is(policy, consent, verdict):
    assert before_sending(leased(consent=consent), policy, NOW) == verdict


@pytest.mark.parametrize(
    ("name", "held", "seconds", "verdict"),
    [
        pytest.param("Purchase", "Purchase", TWO_DAYS - 601, None, id="Meta still knows a second copy"),
        pytest.param("Purchase", "Purchase", TWO_DAYS - 599, Hold("ambiguous_late"), id="Meta may have forgotten"),
        pytest.param("Purchase", "Purchase", 10 * TWO_DAYS, Hold("ambiguous_late"), id="however late"),
        pytest.param("Lead", "Purchase", TWO_DAYS, None, id="a name that is not held"),
        pytest.param("Lead", "Purchase, Lead", TWO_DAYS, Hold("ambiguous_late"), id="a second name that is held"),
        pytest.param("Purchase", "", TWO_DAYS, None, id="nothing is held"),
    ],
)
def test_what_meta_would_count_twice_is_held_where_its_name_is_in_the_setting(name, held, seconds, verdict):
    event = leased(event_name=name, sent_at=NOW - seconds)
    assert before_sending(event, settings(RELAY_HOLD_LATE=held), NOW) == verdict


def test_what_is_held_and_expires_by_our_clock_alone_is_not_looked_at_without_end():
    """Our clock is a minute ahead: the outbox hands out again at once what is held beyond its deadline."""
    times = {"event_time": int(NOW) - 600_010, "expires_at": int(NOW) - 10}
    event = leased(event_name="Purchase", sent_at=NOW - TWO_DAYS, **times)
    policy = settings(RELAY_HOLD_LATE="Purchase")
    assert before_sending(event, policy, NOW, NOW - 60) == RetryAt(NOW + 50, "ambiguous_late")
    assert before_sending(event, policy, NOW, NOW - 9_000) == RetryAt(NOW + 1_500, "ambiguous_late")
    assert before_sending(event, policy, NOW + 50, NOW - 10) == Expired()


def test_an_event_that_was_never_sent_is_never_late():
    assert not is_late(LEASED, NOW + 100 * TWO_DAYS)
    assert before_sending(leased(event_name="Purchase"), SEND, NOW) is None


@pytest.mark.parametrize(("seconds", "late"), [(0, False), (DEDUPLICATION_SECONDS, False), (TWO_DAYS, True)])
def test_late_counts_from_the_first_time_that_meta_may_have_got_it(seconds, late):
    assert is_late(leased(sent_at=NOW - seconds), NOW) is late


def test_a_clock_that_was_set_back_makes_nothing_late():
    assert not is_late(leased(sent_at=NOW + TWO_DAYS), NOW)


REASONS = {
    "damaged": ({"intact": False}, Dead("corrupt")),
    "too old": ({"expires_at": int(NOW) - 1}, Expired()),
    "not agreed to": ({"consent": None}, Withhold("withheld")),
    "late": ({"event_name": "Purchase", "sent_at": NOW - TWO_DAYS}, Hold("ambiguous_late")),
}


@pytest.mark.parametrize(
    "several", [names for n in range(1, 5) for names in itertools.combinations(REASONS, n)], ids=" and ".join
)
def test_of_several_reasons_the_one_that_says_most_is_given(several):
    """Damaged bytes say nothing of themselves; and nothing waits for a person that could not be sent anyway."""
    changes = {name: value for reason in several for name, value in REASONS[reason][0].items()}
    event = leased(**({"consent": "granted"} | changes))
    assert before_sending(event, WITHHOLD, NOW) == REASONS[several[0]][1]


@pytest.mark.parametrize("several", [("damaged",), ("too old",)])
def test_a_withdrawal_does_not_hide_damage_or_age(several):
    changes = REASONS[several[0]][0] | {"consent": "withdrawn"}
    assert before_sending(leased(**changes), SEND, NOW) == REASONS[several[0]][1]


@given(
    seconds=st.integers(-2, 2),
    ahead=st.sampled_from([0, FUTURE_SECONDS - 1, FUTURE_SECONDS, FUTURE_SECONDS + 1]),
    sent_at=st.sampled_from([None, NOW - TWO_DAYS, NOW]),
    intact=st.booleans(),
    consent=st.sampled_from([None, "granted", "withdrawn"]),
    name=st.sampled_from(["Lead", "Purchase"]),
    policy=st.sampled_from([SEND, WITHHOLD]),
    meta_now=st.sampled_from([None, NOW - 1, NOW, NOW + 1]),
)
def test_the_one_look_at_many_events_lets_nothing_go_that_the_look_at_each_would_not(
    seconds, ahead, sent_at, intact, consent, name, policy, meta_now
):
    event = leased(
        event_name=name,
        event_time=int(NOW + ahead),
        expires_at=int(NOW) + seconds,
        sent_at=sent_at,
        intact=intact,
        consent=consent,
    )
    if may_all_be_sent([LEASED, event], policy, NOW, meta_now):
        assert before_sending(event, policy, NOW, meta_now) is None and not is_late(event, NOW)


@pytest.mark.parametrize("policy", [SEND, WITHHOLD])
def test_fresh_events_need_no_look_at_each(policy):
    assert may_all_be_sent([leased(consent="granted")] * 3, policy, NOW)
