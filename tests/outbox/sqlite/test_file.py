"""The file itself: old schemas, how far the log grows, what is left after an erasure."""

from pathlib import Path
from unittest import mock

import apsw
import pytest

from conversion_relay.errors import SettingsError
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox import Attempt, SideCounts, open_outbox
from conversion_relay.outbox.sqlite import file
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.outbox.sqlite.files import event, opened, rows
from tests.outbox.sqlite.old_schemas import write_schema_1, write_schema_2, write_schema_3, write_schema_4
from tests.outbox.suite import NOW, claim, sealed, settle_all


class TestSchema:
    def test_a_bundle_without_the_packages_data_is_told(self, path, monkeypatch):
        """It was a folder that is not writable, although it was."""
        monkeypatch.setattr(
            "pkgutil.get_data", mock.Mock(side_effect=FileNotFoundError(2, "No such file or directory"))
        )
        with pytest.raises(SettingsError, match=r"schema\.sql of conversion_relay is not in .* --collect-data"):
            open_outbox(f"sqlite:///{path}")

    def test_an_old_file_becomes_a_new_one_with_everything_in_it(self, path):
        write_schema_1(path)
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
        text = file.sql_text
        monkeypatch.setattr(file, "sql_text", lambda name: text(name) + ("; nonsense" if "migrate" in name else ""))
        with pytest.raises(SettingsError):
            opened(path)
        monkeypatch.undo()

    def test_a_migration_that_fails_half_way_leaves_the_old_file_as_it_was(self, path, monkeypatch):
        write_schema_1(path)
        self.fail_to_migrate(path, monkeypatch)
        db = apsw.Connection(str(path))
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM event").fetchone() == (4,)
        db.close()
        opened(path).close()

    @pytest.mark.parametrize("index", ["", "CREATE INDEX event_ledger ON event (settled_at);"])
    def test_a_file_of_schema_2_goes_on_and_its_events_are_counted_as_the_servers(self, path, index):
        write_schema_2(path, index)
        outbox = opened(path)
        assert outbox.deduplication() == {"1": {"Lead": SideCounts(server_only=2)}}
        outbox.note_pixel("1", [("Lead", "w")], NOW).result()
        assert outbox.deduplication() == {"1": {"Lead": SideCounts(both=1, server_only=1)}}
        assert [(e.event_id, e.consent) for e in claim(outbox).events] == [("w", None)]
        outbox.remember_visitor("o", Visit(fbp="fb.1.1.1"), NOW)
        assert outbox.counts()["1"].imbalance == 0
        outbox.close()
        db = apsw.Connection(str(path))
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'event_ledger'").fetchone() == (0,)
        db.close()

    def test_a_file_of_schema_3_keeps_what_meta_said_and_takes_more_of_it_from_now_on(self, path):
        write_schema_3(path)
        outbox = opened(path)
        (story,) = outbox.dead()
        assert (story.history[0].title, story.history[0].sentence) == ("Missing Value", None)
        outbox.put([sealed("new")], NOW)
        settle_all(outbox, claim(outbox), Dead("x"), Attempt(at=NOW, outcome="refused", sentence="Enter a value."))
        (story,) = outbox.find("new")
        assert story.history[0].sentence == "Enter a value."
        assert outbox.figures(0)[0].dead == 1
        outbox.close()

    def test_what_is_leased_in_a_file_of_schema_4_waits_again(self, path):
        write_schema_4(path)
        outbox = opened(path)
        assert outbox.waiting(NOW) == {"1": 0.0}
        (event,) = claim(outbox).events
        assert event.event_id == "l" and event.sent_at is not None
        outbox.close()

    @pytest.mark.parametrize("number", [1, 2, 3, 4])
    def test_a_process_of_an_older_schema_that_runs_on_beside_it_keeps_nobody_from_opening_it(self, path, number):
        opened(path).close()
        rows(path, f"PRAGMA user_version = {number}")  # as it does at each probe
        outbox = opened(path)
        outbox.put([sealed("a")], NOW)
        outbox.close()
        assert rows(path, "PRAGMA user_version") == [(5,)]

    @pytest.mark.parametrize("write", [write_schema_3, write_schema_4])
    def test_nor_does_one_beside_a_file_that_is_brought_up_afterwards(self, path, write):
        write(path)
        rows(path, "PRAGMA user_version = 2")
        opened(path).close()
        assert rows(path, "PRAGMA user_version") == [(5,)]

    def test_a_probe_leaves_the_number_that_a_newer_version_wrote(self, path):
        outbox = opened(path)
        rows(path, "PRAGMA user_version = 6")
        outbox.probe()
        assert rows(path, "PRAGMA user_version") == [(6,)]
        outbox.close()

    @pytest.mark.parametrize("write", [write_schema_1, write_schema_2, write_schema_3, write_schema_4])
    def test_each_becomes_what_a_new_file_is(self, path, write):
        write(path)
        opened(path).close()
        opened(path.with_name("new.db")).close()
        tables = "SELECT name, (SELECT group_concat(c.name) FROM pragma_table_info(t.name) c) FROM sqlite_schema t"
        assert sorted(rows(path, tables)) == sorted(rows(path.with_name("new.db"), tables))

    def test_a_failing_migration_from_schema_2_leaves_it_as_it_was(self, path, monkeypatch):
        write_schema_2(path)
        self.fail_to_migrate(path, monkeypatch)
        db = apsw.Connection(str(path))
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name IN ('visitor', 'meter')").fetchone() == (0,)
        db.close()
        opened(path).close()


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
