"""Who may make the next call: three of four are for what is fresh, while both wait."""

import pytest

from conversion_relay.delivery.shares import FRESH_CALLS, Shares


def test_while_both_wait_suspects_have_one_call_of_four():
    shares, calls = Shares(fresh_waits=True), []
    for _ in range(40):
        if shares.may_call():
            shares.spend()
            calls.append("suspects")
        else:
            shares.note_fresh_call()
            calls.append("fresh")
    assert calls.count("fresh") == 30 and calls[:4] == ["fresh"] * FRESH_CALLS + ["suspects"]


def test_while_nothing_fresh_waits_suspects_call_as_they_like():
    shares = Shares()
    for _ in range(100):
        assert shares.may_call()
        shares.spend()


def test_what_was_earned_while_nobody_had_to_wait_is_not_saved_up():
    shares = Shares()
    for _ in range(1_000):
        shares.note_fresh_call()
    shares.fresh_waits = True
    shares.spend()
    assert not shares.may_call()


@pytest.mark.parametrize(("most_calls", "suspects"), [(1, 1), (2, 1), (3, 2), (8, 7)])
def test_one_call_is_kept_free_for_what_comes_next(most_calls, suspects):
    shares = Shares()
    while shares.has_room(most_calls):
        shares.in_flight += 1
    assert shares.in_flight == suspects
