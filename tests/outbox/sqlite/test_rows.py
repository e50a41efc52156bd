"""What is put is what is kept, whatever the texts are, and however many copies are among them."""

import zlib

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox.sqlite import rows
from conversion_relay.outbox.sqlite.books import read
from tests.outbox.suite import NOW

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(["a", "b", "\0", '"', "[1,2]"])
EVENTS = st.builds(
    SealedEvent,
    dataset=st.sampled_from(["1", "2", "30"]),
    event_name=TEXTS,
    event_id=TEXTS,
    event_time=st.integers(-(2**63), 2**63 - 1),
    expires_at=st.integers(0, 2**40),
    body=st.binary(min_size=1, max_size=20),
    consent=st.sampled_from(["granted", None]),
)
KEPT = """
SELECT name, event_name, event_id, event_time, expires_at, body, checksum, consent, accepted_at, state, rank, lane
FROM event JOIN body USING (key) JOIN queue USING (key) JOIN dataset ON id = event.dataset
"""


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(EVENTS, max_size=6), max_size=3))
def test_an_event_is_kept_to_the_letter_and_a_copy_is_told_and_not_kept(db, puts):
    db.execute("SAVEPOINT example")
    told = [receipt for events in puts for receipt in rows.insert(db, events, NOW)]
    kept, books = read(db, KEPT), read(db, "SELECT sum(n) FROM tally WHERE state IN ('accepted', 'pending')")
    db.execute("ROLLBACK TO example; RELEASE example").fetchall()
    first: dict[tuple[str, str, str], SealedEvent] = {}
    expected_receipts = []
    for event in (event for events in puts for event in events):
        key = (event.dataset, event.event_name, event.event_id)
        expected_receipts.append(Receipt(event.event_id, duplicate=key in first))
        first.setdefault(key, event)
    assert told == expected_receipts
    expected = [
        (e.dataset, e.event_name, e.event_id, e.event_time, e.expires_at, e.body, zlib.crc32(e.body), e.consent)
        for e in first.values()
    ]
    assert sorted(kept, key=repr) == sorted(((*row, NOW, "waiting", NOW, 0) for row in expected), key=repr)
    assert (books[0][0] or 0) == 2 * len(first)
