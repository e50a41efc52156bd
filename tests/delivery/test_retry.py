"""What we do about what Meta said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.delivery.retry import Facts, backoff, decide
from conversion_relay.meta.graph import (
    Accepted,
    Ambiguous,
    Misconfigured,
    Refused,
    Said,
    Throttled,
    TooLarge,
    Unauthorized,
    Unlisted,
    Unreachable,
)
from conversion_relay.outbox.verdict import Dead, Delivered, Park, RetryAt

SAID = Said(status=400, code=100, subcode=2804009)


def verdict(outcome, *, attempts=0, failures=1, jitter=0.5):
    return decide(outcome, Facts(attempts=attempts, failures=failures), 1000.0, jitter)


def test_accepted_is_delivered():
    assert verdict(Accepted(SAID)) == Delivered()


def test_one_refused_event_is_dead_with_metas_code():
    assert verdict(Refused(SAID)) == Dead("meta_100_2804009")


@pytest.mark.parametrize("attempts", [0, 10, 1_000])
def test_what_meta_finds_in_the_future_waits_and_never_dies(attempts):
    refused = Refused(Said(status=400, code=100, subcode=2804019), index=0, path=("event_time",))
    waits = verdict(refused, attempts=attempts)
    assert isinstance(waits, RetryAt) and 1_900 <= waits.at <= 2_800 and not waits.sent


@pytest.mark.parametrize("attempts", [0, 10, 1_000])
def test_what_is_too_large_for_somebody_on_the_way_waits(attempts):
    waits = verdict(TooLarge(Said(status=413)), attempts=attempts)
    assert isinstance(waits, RetryAt) and waits.alert


def test_an_error_that_nobody_knows_calls_for_somebody_and_is_asked_for_more_and_more_rarely():
    waits = [verdict(Unlisted(Said(status=400, code=12)), failures=n, jitter=1.0) for n in (1, 2, 3, 50)]
    assert [park.until - 1_000 for park in waits] == [1, 2, 4, 30]
    assert {(park.why, park.alert, park.sent) for park in waits} == {("unknown_error", True, False)}


@pytest.mark.parametrize(
    "outcome",
    [
        Throttled(SAID, 60),
        Unauthorized(SAID),
        Misconfigured(SAID),
        Unlisted(SAID),
        Unreachable("reset", sent=True),
        Unreachable("dns", sent=False),
    ],
)
@pytest.mark.parametrize("attempts", [0, 3, 500])
def test_what_is_not_the_events_fault_stops_the_dataset_and_never_kills_the_event(outcome, attempts):
    assert isinstance(verdict(outcome, attempts=attempts, failures=500), Park)


def test_a_dead_token_and_a_wrong_dataset_call_for_somebody():
    assert verdict(Unauthorized(SAID)) == Park(1060.0, "unauthorized", alert=True)
    assert verdict(Misconfigured(SAID)).alert
    assert verdict(Misconfigured(SAID, of_version=True)) == Park(1060.0, "unserved_version", alert=True)


@pytest.mark.parametrize("outcome", [Unauthorized, Misconfigured, Unlisted])
def test_a_proxys_page_is_not_told_as_metas_word_on_token_or_dataset(outcome):
    """A login page (302), a firewall (403), a gateway (401): the token is good, and nothing of Meta's was said."""
    waits = verdict(outcome(Said(status=401)))
    assert (waits.why, waits.alert, waits.sent) == ("foreign_answer", True, False)
    assert verdict(outcome(Said(status=401, fbtrace_id="A1"))).why != "foreign_answer"


def test_no_trusted_certificate_calls_for_somebody_and_other_silence_passes_by_itself():
    assert verdict(Unreachable("tls", sent=False)).alert
    assert not any(verdict(Unreachable(why, sent=False)).alert for why in ("dns", "connection_refused", "http_503"))


@pytest.mark.parametrize("attempts", [0, 10, 1000])
def test_an_ambiguous_answer_is_sent_again_for_as_long_as_it_is_worth_it(attempts):
    outcome = verdict(Ambiguous("short_count"), attempts=attempts)
    assert isinstance(outcome, RetryAt) and 1000 < outcome.at <= 1300


def test_a_throttle_is_not_cut_short():
    assert verdict(Throttled(SAID, 60), jitter=0.0).until == 1060


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True))
def test_backoff_stays_between_now_and_five_minutes(failures, jitter):
    assert 0 <= backoff(failures, jitter) < 300


def test_jitter_spreads_the_whole_way():
    assert backoff(5, 0.0) == 0 and backoff(5, 0.999) > 15
