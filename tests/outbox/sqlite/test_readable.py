"""A damaged file can hold anything anywhere. Each row is tried by itself; no row of nonsense ends the copying."""

import zlib
from pathlib import Path

import apsw
import pytest

from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.sqlite.file import open_file
from conversion_relay.outbox.sqlite.readable import Copied, copy
from conversion_relay.outbox.sqlite.salvage import salvage
from tests.outbox.sqlite.files import opened, rows
from tests.outbox.suite import NOW, claim, sealed

HUGE = 2**63 - 1
NO_UTF8 = "CAST(x'c3' AS TEXT)"


LOOSE = {
    ") STRICT, WITHOUT": ") WITHOUT",
    ") STRICT": ")",
    "NOT NULL": "",
    "CHECK (state IN": "CHECK (1 OR state IN",
    "CHECK (side IN": "CHECK (1 OR side IN",
}


def loosened(path: Path, *statements: str) -> None:
    """As a bad disk would: what the schema forbids is written all the same."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA writable_schema = ON")
    for rule, loose in LOOSE.items():
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table'", (rule, loose))
    db.close()
    db = apsw.Connection(str(path))
    db.execute("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF").fetchall()
    for statement in statements:
        db.execute(statement).fetchall()
    db.close()


def stored(path: Path) -> None:
    outbox = opened(path)
    outbox.put([sealed(name, body=_body(name)) for name in "abc"], NOW)
    outbox.remember_visitor("o1", Visit(fbp="fb.1.1.1"), NOW)
    outbox.note_pixel("1", [("Lead", "a")], NOW).result()
    outbox.close()


def _body(event_id: str) -> bytes:
    return b'{"event_name":"Lead","event_id":"%s","event_time":%d}' % (event_id.encode(), NOW)


UNFIT_EVENTS = [
    "UPDATE event SET event_time = 'yesterday' WHERE key = 2",
    "UPDATE event SET event_time = x'00' WHERE key = 2",
    "UPDATE event SET event_time = NULL WHERE key = 2",
    "UPDATE event SET event_time = 1e300 WHERE key = 2",
    "UPDATE event SET event_name = x'ff' WHERE key = 2",
    "UPDATE event SET event_id = NULL WHERE key = 2",
    f"UPDATE event SET event_id = {NO_UTF8} WHERE key = 2",
    f"UPDATE event SET reason = {NO_UTF8} WHERE key = 2",
    "UPDATE event SET state = 'sideways' WHERE key = 2",
    "UPDATE event SET state = NULL WHERE key = 2",
    "UPDATE event SET state = 7 WHERE key = 2",
    "UPDATE event SET accepted_at = 'noon' WHERE key = 2",
    "UPDATE event SET attempts = 'many' WHERE key = 2",
    "UPDATE event SET attempts = 1.5 WHERE key = 2",
    "UPDATE event SET dataset = 'one' WHERE key = 2",
    "UPDATE event SET answer = x'0102' WHERE key = 2",
    "UPDATE event SET consent = x'0102' WHERE key = 2",
    "DELETE FROM event WHERE key = 2",
]


@pytest.mark.parametrize("statement", UNFIT_EVENTS)
def test_an_event_whose_row_is_nonsense_is_known_from_its_body(path, statement):
    stored(path)
    loosened(path, statement)
    salvage(path)
    outbox = opened(path)
    assert {e.event_id: e.body for e in claim(outbox).events} == {name: _body(name) for name in "abc"}
    assert outbox.counts()["1"].imbalance == 0
    outbox.close()


UNFIT_BODIES = [
    b"[1]",
    b"7",
    b"null",
    b'"text"',
    b"{}",
    b"{",
    b"\xff\xfe",
    b"",
    b'{"event_name":7,"event_id":"b","event_time":1}',
    b'{"event_name":"Lead","event_id":null,"event_time":1}',
    b'{"event_name":"Lead","event_id":"b","event_time":"1"}',
    b'{"event_name":"Lead","event_id":"b","event_time":true}',
    b'{"event_name":"Lead","event_id":"b","event_time":1.5}',
    b'{"event_name":"Lead","event_id":"b","event_time":%d}' % 2**63,
    b'{"event_name":"Lead","event_id":"b","event_time":%d}' % HUGE,
    b'{"event_name":"Lead","event_id":"b","event_time":1' + b"0" * 400 + b"}",
    b'{"event_name":"Lead","event_id":"\\ud800","event_time":1}',
    b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]


@pytest.mark.parametrize("body", UNFIT_BODIES, ids=lambda body: body[:50].decode("latin-1"))
def test_a_body_that_tells_no_event_is_skipped_when_its_row_is_lost(path, body):
    stored(path)
    db = apsw.Connection(str(path))
    db.execute("DELETE FROM event WHERE key = 2")
    db.execute("UPDATE body SET body = ?, checksum = ? WHERE key = 2", (body, zlib.crc32(body)))
    db.close()
    saved = salvage(path)
    outbox = opened(path)
    assert [e.event_id for e in claim(outbox).events] == ["a", "c"]
    assert outbox.counts()["1"].imbalance == 0
    assert (saved.events, saved.damaged, saved.skipped) == (2, 0, 1)
    outbox.close()


def test_an_event_whose_row_is_lost_waits_for_as_long_as_meta_takes_its_kind(path):
    """A sale in a shop may be 62 days old, all others seven."""
    outbox = opened(path)
    old = NOW - 30 * 86_400
    bodies = {
        source: b'{"event_name":"Lead","event_id":"%b","event_time":%d,"action_source":"%b"}' % (source, old, source)
        for source in (b"physical_store", b"website")
    }
    outbox.put([sealed(source.decode(), body=body) for source, body in bodies.items()], NOW)
    outbox.close()
    db = apsw.Connection(str(path))
    db.execute("DELETE FROM event")
    db.close()
    salvage(path)
    outbox = opened(path)
    stories = {story.event_id: story for story in outbox.recent(5)}
    assert stories["physical_store"].expires_at > NOW > stories["website"].expires_at
    outbox.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE body SET body = 'text' WHERE key = 2",
        "UPDATE body SET body = NULL WHERE key = 2",
        "UPDATE body SET body = 17 WHERE key = 2",
        f"UPDATE body SET body = {NO_UTF8} WHERE key = 2",
        "UPDATE body SET checksum = checksum + 1 WHERE key = 2",
        "UPDATE body SET checksum = 'sum' WHERE key = 2",
        "UPDATE body SET checksum = NULL WHERE key = 2",
        "DELETE FROM body WHERE key = 2",
    ],
)
def test_an_event_without_a_sound_body_ends_as_a_dead_letter(path, statement):
    stored(path)
    loosened(path, statement)
    saved = salvage(path)
    outbox = opened(path)
    assert [e.event_id for e in claim(outbox).events] == ["a", "c"]
    assert [(story.event_id, story.reason) for story in outbox.dead()] == [("b", "corrupt")]
    assert (saved.events, saved.damaged) == (3, 1)
    assert outbox.counts()["1"].imbalance == 0
    outbox.close()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO dataset VALUES (9, NULL)",
        "INSERT INTO dataset VALUES (9, x'00')",
        f"INSERT INTO dataset VALUES (9, {NO_UTF8})",
        "INSERT INTO answer (id, at, outcome) VALUES (5, 'then', 'refused')",
        "INSERT INTO answer (id, at, outcome) VALUES (5, 1.0, NULL)",
        f"INSERT INTO answer (id, at, outcome) VALUES ({HUGE}, 1.0, {NO_UTF8})",
        f"INSERT INTO answer (id, at, outcome) VALUES ({HUGE}, 1.0, 'refused')",
        "INSERT INTO visitor VALUES ('o2', x'00', 1.0)",
        "INSERT INTO visitor VALUES ('o2', 'text', 1.0)",
        "INSERT INTO visitor VALUES ('o2', NULL, 1.0)",
        "INSERT INTO visitor VALUES ('o2', CAST('[]' AS BLOB), 1.0)",
        "INSERT INTO visitor VALUES ('o2', CAST('{\"fbp\":7}' AS BLOB), 1.0)",
        "INSERT INTO visitor VALUES ('a', CAST('{}' AS BLOB), 'then')",
        "INSERT INTO pixel VALUES ('a', 'one', 'Lead', 1.0)",
        "INSERT INTO pixel VALUES ('0', 1, 'Lead', 'then')",
        "INSERT INTO meter VALUES (1, 'Lead', 'inside', 1)",
        "INSERT INTO meter VALUES (1, 'A', 'both', 'many')",
        "INSERT INTO queue VALUES ('x', 'y', 'z', 'w')",
        "INSERT INTO tally VALUES (1, 'sideways', 'many')",
        "INSERT INTO lease VALUES (1, 2, 3, 'x', 'y', 'z')",
    ],
)
def test_a_row_of_nonsense_beside_them_costs_no_event_no_visitor_and_no_report(path, statement):
    stored(path)
    loosened(path, statement)
    assert salvage(path).events == 3
    outbox = opened(path)
    assert [e.event_id for e in claim(outbox).events] == ["a", "b", "c"]
    assert outbox.visitor("o1", NOW) == Visit(fbp="fb.1.1.1")
    assert outbox.visitor("o2", NOW) is None
    assert outbox.deduplication()["1"]["Lead"].both == 1
    assert outbox.counts()["1"].imbalance == 0
    outbox.close()


@pytest.mark.parametrize("key", [HUGE, HUGE - 1, 2**40])
def test_keys_at_the_end_of_what_there_can_be_are_copied(path, key):
    stored(path)
    rows(path, "UPDATE event SET key = ? WHERE key = 3", key)
    rows(path, "UPDATE body SET key = ? WHERE key = 3", key)
    assert salvage(path).events == 3


def test_a_table_that_is_gone_costs_its_own_rows(path):
    for table in ("dataset", "answer", "visitor", "pixel", "meter"):
        file = path.with_name(f"{table}.db")
        stored(file)
        rows(file, f"DROP TABLE {table}")
        assert salvage(file).events == 3, table


def test_a_database_of_nothing_gives_an_empty_outbox(path):
    new, reader = open_file(path)
    assert copy(apsw.Connection(":memory:"), new, NOW) == Copied()
    new.close()
    reader.close()


def test_an_error_of_the_new_file_is_not_taken_for_nonsense(path):
    stored(path)
    new, reader = open_file(path.with_name("new.db"))
    ((pages,),) = new.execute("PRAGMA page_count").fetchall()
    new.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    old = apsw.Connection(str(path))
    old.execute("INSERT INTO body SELECT key + 1000, 0, zeroblob(9000) FROM event").fetchall()
    old.execute("UPDATE body SET checksum = ?", (zlib.crc32(bytes(9000)),))
    old.execute("UPDATE body SET body = zeroblob(9000)")
    with pytest.raises(apsw.FullError):
        copy(old, new, NOW)
    new.close()
    reader.close()
