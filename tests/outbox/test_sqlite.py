"""The embedded outbox: the common suite, and what only a file can show."""

import multiprocessing
import stat
from pathlib import Path

import apsw
import pytest

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.outbox import open_outbox
from conversion_relay.outbox.sqlite.database import Database
from conversion_relay.outbox.sqlite.file import open_file
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.outbox.backends import SqliteBackend, connections, locked
from tests.outbox.suite import NOW, claim, sealed, settle_all
from tests.outbox.suite.everything import EverySuite
from tests.outbox.suite.notices import NoticesSuite


class TestSqlite(SqliteBackend, EverySuite, NoticesSuite):
    """What is promised of every store, and what only a file can show."""

    def test_every_commit_is_fsynced(self, place):
        writer, _ = open_file(place / "outbox.db")
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_what_is_deleted_is_overwritten_and_readers_cannot_write(self, place):
        writer, reader = open_file(place / "outbox.db")
        assert writer.execute("PRAGMA secure_delete").fetchone() == (1,)
        assert reader.execute("PRAGMA query_only").fetchone() == (1,)
        assert reader.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)

    def test_puts_that_wait_together_share_a_commit(self, outbox, place):
        commits = []
        for db in connections(place / "outbox.db"):
            db.set_commit_hook(lambda: bool(commits.append(1)))
        with locked(place / "outbox.db"):
            puts = [outbox.put_soon([sealed(str(n))], NOW) for n in range(200)]
        assert all(put.result()[0].duplicate is False for put in puts)
        assert len(commits) < 100

    def test_the_file_is_its_owners_alone(self, outbox, place):
        assert stat.S_IMODE((place / "outbox.db").stat().st_mode) == 0o600

    def test_a_delivered_event_leaves_no_user_data_behind(self, outbox, place):
        outbox.put([sealed("a", body=b'{"client_ip_address":"198.51.100.77"}')], NOW)
        settle_all(outbox, claim(outbox), Delivered())
        apsw.Connection(str(place / "outbox.db")).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"198.51.100.77" not in (place / "outbox.db").read_bytes()

    def test_a_dead_letter_keeps_its_body_for_replay(self, outbox):
        outbox.put([sealed("a", body=b"{}")], NOW)
        settle_all(outbox, claim(outbox), Dead("x"))
        outbox.replay(NOW)
        assert claim(outbox).events[0].body == b"{}"

    def test_a_flipped_bit_in_a_row_is_seen(self, outbox, place):
        outbox.put([sealed("a", body=b"FIND-ME-0")], NOW)
        other = apsw.Connection(str(place / "outbox.db"))
        other.execute("UPDATE body SET body = CAST('FIND-ME-1' AS BLOB)")
        assert claim(outbox).events[0].intact is False

    def test_leases_of_a_dead_process_are_free_at_once(self, outbox, place):
        outbox.put([sealed("a")], NOW)
        process = multiprocessing.get_context("spawn").Process(target=_claim_and_die, args=(place / "outbox.db",))
        process.start()
        process.join()
        assert outbox.counts()["1"].leased == 1
        outbox.waiting(NOW)
        assert claim(outbox).events[0].event_id == "a"
        assert outbox.counts()["1"].imbalance == 0

    def test_a_claim_whose_commit_came_out_badly_holds_nothing_up(self, outbox, monkeypatch):
        """Its lease may be in the file all the same, and nobody knows its token."""
        outbox.put([sealed("a")], NOW)
        carry_out = Database.carry_out

        def committed_but_not_told(self, work, *, adds=False):
            carry_out(self, work, adds=adds)
            raise OutboxUnavailable("fsync")

        monkeypatch.setattr(Database, "carry_out", committed_but_not_told)
        with pytest.raises(OutboxUnavailable):
            claim(outbox)
        monkeypatch.undo()
        assert outbox.waiting(NOW) == {"1": 0.0}
        assert claim(outbox).events[0].sent_at is None

    def test_leases_of_a_living_neighbour_are_left_alone(self, outbox, place):
        outbox.put([sealed("a")], NOW)
        neighbour = self.open(place)
        lease = claim(neighbour)
        assert outbox.waiting(NOW) == {}
        settle_all(neighbour, lease, Delivered())
        neighbour.close()

    def test_what_a_locked_file_cannot_take_is_told_and_not_stored(self, outbox, place):
        with locked(place / "outbox.db"), pytest.raises(OutboxUnavailable):
            outbox.put([sealed("a")], NOW)
        assert outbox.put([sealed("a")], NOW)[0].duplicate is False

    def test_a_full_disk_refuses_the_put_and_recovers_by_itself(self, outbox, place):
        with self.full_disk(place):
            with pytest.raises(OutboxUnavailable):
                outbox.put([sealed(str(n), body=b"x" * 4000) for n in range(50)], NOW)
            assert outbox.counts() == {}
        outbox.put([sealed("a")], NOW)
        assert outbox.counts()["1"].accepted == 1


def _claim_and_die(path: Path) -> None:
    import os

    outbox = SqliteOutbox(str(path))
    assert claim(outbox).events
    os.kill(os.getpid(), 9)


@pytest.mark.parametrize("url", ["mysql://x", "sqlite:", "sqlite:///", "relay.db", ""])
def test_an_unknown_outbox_url_is_refused_with_the_form_to_use(url):
    with pytest.raises(SettingsError, match="sqlite:///file"):
        open_outbox(url)


def test_a_missing_folder_is_named_as_a_settings_error(tmp_path):
    with pytest.raises(SettingsError, match="RELAY_OUTBOX"):
        SqliteOutbox(str(tmp_path / "missing" / "outbox.db"))


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "outbox.db"
    path.write_bytes(b"not a database, but somebody's file" * 100)
    with pytest.raises(SettingsError, match="no outbox"):
        SqliteOutbox(str(path))
    assert path.read_bytes().startswith(b"not a database")


def test_a_newer_schema_is_not_touched(tmp_path):
    path = tmp_path / "outbox.db"
    SqliteOutbox(str(path)).close()
    apsw.Connection(str(path)).execute("PRAGMA user_version = 99")
    with pytest.raises(SettingsError, match="schema 99"):
        SqliteOutbox(str(path))
