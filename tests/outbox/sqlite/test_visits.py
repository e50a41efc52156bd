"""Who was seen under an order's id: kept for seven days from the first call, filled in by later ones."""

from functools import partial

import pytest

from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.sqlite import visits
from conversion_relay.outbox.sqlite.books import read
from conversion_relay.outbox.sqlite.visits import PRUNED_AT_ONCE, VISITOR_SECONDS
from tests.outbox.suite import NOW

FIRST = Visit(fbp="fb.1.1.1", url="https://shop.example/")


def found(db, key: str, now: float = NOW) -> Visit | None:
    return visits.find(partial(read, db), key, now)


@pytest.mark.parametrize(
    ("age", "is_known"), [(0, True), (VISITOR_SECONDS, True), (VISITOR_SECONDS + 1, False), (-3_600, True)]
)
def test_how_long_a_visitor_is_known(db, age, is_known):
    visits.remember(db, "o", FIRST, NOW)
    assert found(db, "o", NOW + age) == (FIRST if is_known else None)
    assert visits.prune(db, NOW + age) == (0 if is_known else 1)


def test_calling_again_fills_in_what_was_missing_and_keeps_nobody_longer(db):
    visits.remember(db, "o", FIRST, NOW)
    visits.remember(db, "o", Visit(fbp=FIRST.fbp, client_user_agent="UA"), NOW + VISITOR_SECONDS)
    assert found(db, "o", NOW + VISITOR_SECONDS) == Visit(fbp=FIRST.fbp, url=FIRST.url, client_user_agent="UA")
    assert found(db, "o", NOW + VISITOR_SECONDS + 1) is None


def test_after_a_week_the_next_call_begins_anew(db):
    visits.remember(db, "o", FIRST, NOW)
    later = NOW + VISITOR_SECONDS + 1
    visits.remember(db, "o", Visit(fbp="fb.1.9.9"), later)
    assert found(db, "o", later + VISITOR_SECONDS) == Visit(fbp="fb.1.9.9")


@pytest.mark.parametrize("key", ["", "o", "O", "ö\N{SNOWMAN}", "a'b\"c", "x" * 10_000, "1", "\x00"])
def test_each_key_is_its_own(db, key):
    visits.remember(db, "another", Visit(fbp="fb.1.2.2"), NOW)
    assert found(db, key) is None
    visits.remember(db, key, FIRST, NOW)
    assert found(db, key) == FIRST and found(db, "another") == Visit(fbp="fb.1.2.2")


def test_no_one_waits_for_a_million_old_visitors_to_be_dropped(db, monkeypatch):
    monkeypatch.setattr(visits, "PRUNED_AT_ONCE", 10)
    for n in range(25):
        visits.remember(db, str(n), FIRST, NOW)
    dropped = [visits.prune(db, NOW + 2 * VISITOR_SECONDS) for _ in range(4)]
    assert dropped == [10, 10, 5, 0] and not visits.is_any(db)
    assert PRUNED_AT_ONCE > 1_000


@pytest.mark.parametrize(
    ("event_id", "is_forgotten"),
    [("purchase_o", True), ("register_o", True), ("_o", True), ("o", False), ("purchase_p", False), ("a_b_o", False)],
)
def test_whose_visit_goes_with_an_erased_event(db, event_id, is_forgotten):
    visits.remember(db, "o", FIRST, NOW)
    visits.erase(db, [(event_id, None)])
    assert (found(db, "o") is None) == is_forgotten


def test_whose_visit_goes_with_an_erased_event_that_names_the_order_in_its_data(db):
    visits.remember(db, "o", FIRST, NOW)
    visits.erase(db, [("purchase_p", b'{"custom_data":{"order_id":"o"}}')])
    assert found(db, "o") is None
