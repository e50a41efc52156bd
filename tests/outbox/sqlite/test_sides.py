"""The meter agrees with counting by hand, in whatever order events and reports come."""

from collections import Counter
from functools import partial

import apsw
import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from conversion_relay.outbox import SideCounts
from conversion_relay.outbox.sqlite import ledger, rows, sides
from conversion_relay.outbox.sqlite.books import make_dataset_id, read
from conversion_relay.outbox.sqlite.sides import MOST_NAMES, PIXEL_SECONDS
from tests.outbox.suite import NOW, sealed

PAIRS = st.tuples(st.sampled_from(["Lead", "Purchase"]), st.sampled_from(["a", "b", "c", "d"]))
COMES = st.tuples(st.sampled_from(["event", "report"]), st.sampled_from(["1", "2"]), st.lists(PAIRS, max_size=4))


def told(db: apsw.Connection) -> dict[str, dict[str, SideCounts]]:
    return sides.deduplication(partial(read, db))


def by_hand(events: set[tuple[str, ...]], reports: set[tuple[str, ...]]) -> dict[str, dict[str, SideCounts]]:
    cells = {
        "both": Counter(key[:2] for key in events & reports),
        "server_only": Counter(key[:2] for key in events - reports),
        "browser_only": Counter(key[:2] for key in reports - events),
    }
    found: dict[str, dict[str, SideCounts]] = {}
    for dataset, name in {key[:2] for key in events | reports}:
        found.setdefault(dataset, {})[name] = SideCounts(**{side: n[dataset, name] for side, n in cells.items()})
    return found


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(COMES, max_size=8))
def test_any_order_of_events_reports_and_copies_is_counted_as_by_hand(db, comes):
    db.execute("SAVEPOINT example")
    events: set[tuple[str, ...]] = set()
    reports: set[tuple[str, ...]] = set()
    for kind, dataset, pairs in comes:
        if kind == "event":
            rows.insert(db, [sealed(event_id, dataset=dataset, name=name) for name, event_id in pairs], NOW)
            events |= {(dataset, name, event_id) for name, event_id in pairs}
        else:
            sides.note_pixel(db, make_dataset_id(db, dataset), pairs, NOW)
            reports |= {(dataset, name, event_id) for name, event_id in pairs}
    found = told(db)
    db.execute("ROLLBACK TO example; RELEASE example").fetchall()
    assert found == by_hand(events, reports)


def test_a_page_cannot_bring_up_names_without_end(db):
    dataset = make_dataset_id(db, "1")
    sides.note_pixel(db, dataset, [(f"Name{n}", "a") for n in range(MOST_NAMES + 50)], NOW)
    assert len(told(db)["1"]) == MOST_NAMES
    sides.note_pixel(db, dataset, [("Name0", "b"), ("Another", "b")], NOW)
    assert told(db)["1"]["Name0"].browser_only == 2 and "Another" not in told(db)["1"]
    rows.insert(db, [sealed("b", name="Another")], NOW)
    assert told(db)["1"]["Another"] == SideCounts(server_only=1), "an event of our own is counted all the same"


def test_an_old_report_goes_unless_its_event_is_still_known(db):
    dataset = make_dataset_id(db, "1")
    rows.insert(db, [sealed("a")], NOW)
    sides.note_pixel(db, dataset, [("Lead", "a"), ("Lead", "b")], NOW)
    later = NOW + PIXEL_SECONDS + 1
    assert sides.over(partial(read, db), NOW + PIXEL_SECONDS, sides.FIRST) == ([], None)
    reports, _ = sides.over(partial(read, db), later, sides.FIRST)
    assert [event_id for _, event_id, *_ in reports] == ["b"]
    assert sides.drop(db, reports, later) == 1
    assert sides.drop(db, [(NOW, "a", dataset, "Lead")], later) == 0, "its event came meanwhile"
    before = told(db)
    sides.note_pixel(db, dataset, [("Lead", "a")], later)
    assert told(db) == before, "said again, it is not counted again"


def test_what_leaves_the_ledger_takes_its_report_along(db):
    dataset = make_dataset_id(db, "1")
    rows.insert(db, [sealed("a"), sealed("b")], NOW)
    sides.note_pixel(db, dataset, [("Lead", "a"), ("Lead", "b")], NOW)
    db.execute("UPDATE event SET state = 'delivered', settled_at = ? WHERE event_id = 'a'", (NOW,))
    keys, _ = ledger.over(partial(read, db), NOW + 9 * 86_400, 8 * 86_400, 0)
    assert ledger.prune(db, ledger.Over(keys), NOW) == (1, 0)
    assert read(db, "SELECT event_id FROM pixel") == [("b",)]


def test_no_cell_goes_below_zero_when_counts_were_lost(db):
    dataset = make_dataset_id(db, "1")
    rows.insert(db, [sealed("a")], NOW)
    db.execute("DELETE FROM meter")
    sides.note_pixel(db, dataset, [("Lead", "a")], NOW)
    assert told(db) == {"1": {"Lead": SideCounts(both=1)}}
