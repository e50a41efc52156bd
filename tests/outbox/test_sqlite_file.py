"""What can happen to the file: damage, deletion, a full disk, an old schema. Nothing is lost that can be read, nothing
wrong is sent, and the operator is told."""

import logging
import os
import shutil
import stat
import threading
from pathlib import Path

import apsw
import pytest

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox import Sides
from conversion_relay.outbox.sqlite import disk, file
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.sqlite.salvage import salvage
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.outbox.suite import NOW, claim, sealed, settle_all
from tests.processes import until

EVENTS = 2_000
PAGE = 4096


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "outbox.db"


def opened(path: Path) -> SqliteOutbox:
    return SqliteOutbox(str(path))


def filled(path: Path, events: int = EVENTS) -> None:
    outbox = opened(path)
    for first in range(0, events, 500):
        outbox.put([event(n) for n in range(first, first + 500)], NOW)
    outbox.close()


def event(n: int):
    text = '{"event_name":"Lead","event_id":"e%d","event_time":%d,"x":"%s"}' % (n, NOW, "y" * 200)  # noqa: UP031
    return sealed(f"e{n}", body=text.encode())


def drained(outbox: SqliteOutbox) -> dict[str, bytes]:
    """What a worker would send, by id; damaged events end as dead letters."""
    sent = {}
    while lease := outbox.claim("1", 1_000, 60, NOW):
        verdicts = [(e, Delivered() if e.intact else Dead("corrupt")) for e in lease.events]
        outbox.settle(lease, verdicts, None, NOW)
        sent |= {e.event_id: e.body for e in lease.events if e.intact}
    return sent


def pages_of(path: Path, table: str) -> list[int]:
    """First bytes of the table's leaf pages."""
    db = apsw.Connection(str(path))
    rows = db.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,)).fetchall()
    db.close()
    return [(page - 1) * PAGE for (page,) in rows]


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


class TestDamage:
    def test_a_page_of_bodies_costs_those_events_only_and_the_file_is_kept(self, path, caplog):
        filled(path)
        overwrite(path, pages_of(path, "body")[7], b"\xff" * 600)
        outbox = opened(path)
        sent = drained(outbox)
        book = outbox.counts()["1"]
        assert EVENTS - 60 < len(sent) < EVENTS
        assert all(body == event(int(name[1:])).body for name, body in sent.items()), "a wrong byte was sent"
        assert (book.delivered, book.dead, book.imbalance) == (len(sent), EVENTS - len(sent), 0)
        assert {story.reason for story in outbox.dead(EVENTS)} == {"corrupt"}
        (aside,) = path.parent.glob("outbox.db.damaged-*Z")
        assert aside.stat().st_size > 0
        (told,) = [r for r in caplog.records if "set aside" in r.message]
        assert (told.levelname, told.aside, told.damaged) == ("ERROR", aside.name, EVENTS - len(sent))
        outbox.close()

    def test_events_whose_row_is_lost_are_known_from_their_bodies(self, path):
        filled(path)
        overwrite(path, pages_of(path, "event")[3], os.urandom(PAGE))
        outbox = opened(path)
        assert drained(outbox).keys() == {f"e{n}" for n in range(EVENTS)}
        outbox.close()

    @pytest.mark.parametrize("broken", [16, PAGE], ids=["header", "first page"])
    def test_without_the_head_of_the_file_every_event_is_still_found(self, path, broken):
        filled(path)
        overwrite(path, 0, b"\x00" * broken)
        salvage(path)
        outbox = opened(path)
        assert len(drained(outbox)) == EVENTS
        outbox.close()

    def test_a_broken_header_is_mended_when_the_file_is_opened(self, path):
        filled(path)
        overwrite(path, 0, b"\x00" * 16)
        outbox = opened(path)
        assert len(drained(outbox)) == EVENTS
        outbox.close()

    def test_of_a_file_cut_in_half_the_readable_half_goes_on(self, path):
        filled(path)
        os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE)
        outbox = opened(path)
        sent = drained(outbox)
        assert len(sent) > EVENTS / 4
        assert all(body == event(int(name[1:])).body for name, body in sent.items())
        assert outbox.counts()["1"].imbalance == 0
        outbox.close()

    def test_damage_met_while_running_is_mended_without_a_restart(self, path, caplog):
        filled(path)
        outbox = opened(path)
        page = pages_of(path, "body")[0]
        outbox._database.writer.execute(
            "PRAGMA cache_size = 0; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA shrink_memory"
        ).fetchall()
        overwrite(path, page, b"\xff" * 600)
        with pytest.raises(OutboxUnavailable, match="outbox"):
            drained(outbox)
        sent = until(lambda: _attempt(lambda: drained(outbox)))
        assert EVENTS - 60 < len(sent) < EVENTS
        outbox.put([event(EVENTS)], NOW)
        assert outbox.counts()["1"].imbalance == 0
        outbox.close()

    def test_somebody_elses_damaged_file_is_left_alone(self, path):
        path.write_bytes(b"SQLite format 3\x00" + os.urandom(8192))
        before = path.read_bytes()
        with pytest.raises(SettingsError, match="no outbox"):
            opened(path)
        assert path.read_bytes() == before


def _attempt(work):
    try:
        return work()
    except OutboxUnavailable:
        return None


class TestDeletion:
    def test_nothing_is_promised_into_a_deleted_file_and_what_it_held_is_saved(self, path):
        outbox = opened(path)
        outbox.put([sealed("a")], NOW)
        path.unlink()
        with pytest.raises(OutboxUnavailable, match="deleted or moved away"):
            outbox.put([sealed("b")], NOW)
        with pytest.raises(OutboxUnavailable, match="rescued"):
            until(lambda: _raises_rescued(outbox))
        (rescued,) = path.parent.glob("outbox.db.rescued-*Z")
        rescued.rename(path)
        until(lambda: _attempt(lambda: outbox.put([sealed("c")], NOW)))
        ids = {e.event_id for e in claim(outbox).events}
        assert {"a", "c"} <= ids
        outbox.close()

    def test_a_file_that_is_moved_away_and_back_is_used_again(self, path):
        outbox = opened(path)
        elsewhere = path.with_name("elsewhere")
        path.rename(elsewhere)
        with pytest.raises(OutboxUnavailable, match="moved away"):
            outbox.probe()
        elsewhere.rename(path)
        until(lambda: _attempt(lambda: outbox.put([sealed("a")], NOW)))
        assert claim(outbox).events[0].event_id == "a"
        outbox.close()

    def test_a_deleted_log_is_noticed_and_nothing_acknowledged_is_lost(self, path):
        outbox = opened(path)
        outbox.put([sealed("a")], NOW)
        path.with_name("outbox.db-wal").unlink()
        with pytest.raises(OutboxUnavailable, match="wal was deleted"):
            outbox.put([sealed("b")], NOW)
        until(lambda: _attempt(lambda: outbox.put([sealed("c")], NOW)))
        outbox.close()
        again = opened(path)
        assert {"a", "c"} <= {e.event_id for e in claim(again).events}
        again.close()


def _raises_rescued(outbox) -> bool:
    try:
        outbox.probe()
    except OutboxUnavailable as error:
        if "rescued" in str(error):
            raise
    return False


class TestSpace:
    def test_below_the_soft_limit_nothing_new_is_taken_and_what_is_there_is_settled(self, path, monkeypatch):
        outbox = opened(path)
        outbox.put([sealed("a")], NOW)
        monkeypatch.setattr(disk, "RESERVE_SHARE", 1.1)
        monkeypatch.setattr(disk, "MOST_RESERVE", 1 << 62)
        with pytest.raises(OutboxUnavailable, match="nearly full"):
            outbox.put([sealed("b")], NOW)
        with pytest.raises(OutboxUnavailable, match="nearly full"):
            outbox.probe()
        settle_all(outbox, claim(outbox), Delivered())
        monkeypatch.undo()
        outbox.put([sealed("b")], NOW)
        assert outbox.counts()["1"].delivered == 1
        outbox.close()

    def test_the_ballast_is_laid_given_up_for_a_settle_and_laid_again(self, path):
        outbox = opened(path)
        ballast = path.with_name("outbox.db-ballast")
        assert ballast.stat().st_blocks * 512 >= 1_048_576
        assert stat.S_IMODE(ballast.stat().st_mode) == 0o600
        outbox.put([event(n) for n in range(500)], NOW)
        lease = claim(outbox, limit=500)
        full = iter([True])

        def work(db: apsw.Connection) -> int:
            if next(full, False):
                raise apsw.FullError("planted")
            return 1

        assert outbox._database.submit(work).result() == 1
        assert not ballast.exists()
        settle_all(outbox, lease, Delivered())
        outbox.prune(NOW)
        assert ballast.exists()
        outbox.close()


def test_a_salvaged_file_still_knows_visitors_consent_and_the_pixels_reports(path):
    outbox = opened(path)
    outbox.put([sealed("a", consent="granted")], NOW)
    outbox.remember_visitor("o", Visit(fbp="fb.1.1.1"), NOW)
    outbox.note_pixel("1", [("Lead", "a"), ("Lead", "b")], NOW).result()
    outbox.close()
    salvage(path)
    again = opened(path)
    assert again.visitor("o", NOW) == Visit(fbp="fb.1.1.1")
    assert again.deduplication() == {"1": {"Lead": Sides(both=1, browser_only=1)}}
    again.note_pixel("1", [("Lead", "a")], NOW).result()
    assert again.deduplication() == {"1": {"Lead": Sides(both=1, browser_only=1)}}
    assert claim(again).events[0].consent == "granted"
    again.close()


class TestSchema:
    def test_an_old_file_becomes_a_new_one_with_everything_in_it(self, path):
        self.write_schema_1(path)
        outbox = opened(path)
        book = outbox.counts()["1"]
        assert (book.accepted, book.pending, book.leased, book.delivered, book.dead) == (4, 2, 0, 1, 1)
        assert {e.event_id: e.body for e in claim(outbox).events} == {"p": b"{}", "l": b"{}"}
        assert [story.event_id for story in outbox.dead()] == ["d"] and outbox.dead()[0].history[0].code == 100
        assert outbox.put([sealed("x")], NOW)[0].duplicate is True
        assert outbox.counts()["1"].imbalance == 0
        outbox.close()

    @staticmethod
    def fail_to_migrate(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        text = file._text
        monkeypatch.setattr(file, "_text", lambda name: text(name) + ("; nonsense" if "migrate" in name else ""))
        with pytest.raises(SettingsError):
            opened(path)
        monkeypatch.undo()

    def test_a_migration_that_fails_half_way_leaves_the_old_file_as_it_was(self, path, monkeypatch):
        self.write_schema_1(path)
        self.fail_to_migrate(path, monkeypatch)
        db = apsw.Connection(str(path))
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM event").fetchone() == (4,)
        db.close()
        opened(path).close()

    @pytest.mark.parametrize("index", ["", "CREATE INDEX event_ledger ON event (settled_at);"])
    def test_a_file_of_schema_2_goes_on_and_its_events_are_counted_as_the_servers(self, path, index):
        self.write_schema_2(path, index)
        outbox = opened(path)
        assert outbox.deduplication() == {"1": {"Lead": Sides(server_only=2)}}
        outbox.note_pixel("1", [("Lead", "w")], NOW).result()
        assert outbox.deduplication() == {"1": {"Lead": Sides(both=1, server_only=1)}}
        assert [(e.event_id, e.consent) for e in claim(outbox).events] == [("w", None)]
        outbox.remember_visitor("o", Visit(fbp="fb.1.1.1"), NOW)
        assert outbox.counts()["1"].imbalance == 0
        outbox.close()
        db = apsw.Connection(str(path))
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'event_ledger'").fetchone() == (0,)
        db.close()

    def test_a_failing_migration_from_schema_2_leaves_it_as_it_was(self, path, monkeypatch):
        self.write_schema_2(path)
        self.fail_to_migrate(path, monkeypatch)
        db = apsw.Connection(str(path))
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name IN ('visitor', 'meter')").fetchone() == (0,)
        db.close()
        opened(path).close()

    def test_a_damaged_file_of_schema_2_loses_nothing_that_can_be_read(self, path):
        self.write_schema_2(path)
        salvage(path)
        outbox = opened(path)
        assert outbox.find("w")[0].state == "pending" and outbox.find("x")[0].state == "delivered"
        outbox.close()

    @staticmethod
    def write_schema_2(path: Path, more: str = "") -> None:
        db = apsw.Connection(str(path))
        db.execute("PRAGMA journal_mode = WAL").fetchall()
        db.execute(Path(__file__).with_name("schema_2.sql").read_text() + more).fetchall()
        db.execute("INSERT INTO dataset VALUES (1, '1')")
        for key, (name, state) in enumerate({"w": "waiting", "x": "delivered"}.items(), 1):
            row = (key, 1, "Lead", name, int(NOW), int(NOW) + 600_000, NOW, state)
            db.execute(
                "INSERT INTO event (key, dataset, event_name, event_id, event_time, expires_at, accepted_at, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        db.execute("INSERT INTO body VALUES (1, 2745614147, CAST('{}' AS BLOB)); INSERT INTO queue VALUES (1, 0, 1, 1)")
        db.execute("INSERT INTO tally VALUES (1, 'accepted', 2), (1, 'pending', 1), (1, 'delivered', 1)")
        db.execute("PRAGMA user_version = 2").fetchall()
        db.close()

    @staticmethod
    def write_schema_1(path: Path) -> None:
        db = apsw.Connection(str(path))
        db.execute("PRAGMA journal_mode = WAL").fetchall()
        db.execute(Path(__file__).with_name("schema_1.sql").read_text()).fetchall()
        db.execute("INSERT INTO answer (id, at, outcome, code) VALUES (7, 1.0, 'refused', 100)")
        states = {"p": "pending", "l": "leased", "x": "delivered", "d": "dead"}
        for name, state in states.items():
            body = None if state == "delivered" else b"{}"
            row = ("1", "Lead", name, int(NOW), int(NOW) + 600_000, NOW, state, NOW, body, 2745614147, 7)
            db.execute(
                "INSERT INTO event (dataset, event_name, event_id, event_time, expires_at, accepted_at, state, due_at,"
                " body, checksum, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            db.execute("INSERT INTO tally VALUES ('1', ?, 1)", (state,))
        db.execute("INSERT INTO tally VALUES ('1', 'accepted', 4); PRAGMA user_version = 1").fetchall()
        db.close()


def test_the_log_does_not_grow_with_what_passes_through(path, monkeypatch):
    monkeypatch.setattr(file, "MOST_LOG", 1_048_576)
    outbox = opened(path)
    for first in range(0, 30_000, 500):
        outbox.put([event(n) for n in range(first, first + 500)], NOW)
        settle_all(outbox, claim(outbox), Delivered())
    assert path.with_name("outbox.db-wal").stat().st_size < 4 * 1_048_576
    outbox.close()


def test_an_erased_person_is_gone_from_the_file_and_the_log(path):
    digest = "abcdef" * 10 + "1234"
    outbox = opened(path)
    outbox.put([sealed("a", body=b'{"em":["%s"]}' % digest.encode()), sealed(f"contact_{digest}_1")], NOW)
    assert outbox.erase([digest], NOW) == 2
    for part in path.parent.glob("outbox.db*"):
        if part.is_file():
            assert digest.encode() not in part.read_bytes(), part
    outbox.close()


def test_two_processes_that_find_damage_salvage_it_once(path):
    filled(path)
    overwrite(path, pages_of(path, "body")[7], b"\xff" * 600)
    found: list[SqliteOutbox] = []
    threads = [threading.Thread(target=lambda: found.append(opened(path))) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(list(path.parent.glob("outbox.db.damaged-*Z"))) == 1
    assert len(found) == 2 and found[0].counts() == found[1].counts()
    [outbox.close() for outbox in found]


def test_a_copy_of_a_running_outbox_can_be_opened(path, tmp_path):
    outbox = opened(path)
    outbox.put([sealed("a")], NOW)
    copy = tmp_path / "copy.db"
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
    logging.getLogger("conversion_relay").debug("copied")
    again = opened(copy)
    assert claim(again).events[0].event_id == "a"
    outbox.close()
    again.close()
