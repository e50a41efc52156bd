"""Room on the disk: the reserve, and the ballast that is given up for settling."""

import errno
import os
import resource
import stat
from types import SimpleNamespace

import apsw
import pytest

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.outbox.sqlite import disk, one_at_a_time
from conversion_relay.outbox.sqlite.database import Database
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.sqlite.told import explain
from conversion_relay.outbox.verdict import Delivered
from tests.one_module import replace_in
from tests.outbox.sqlite.files import event, opened
from tests.outbox.suite import NOW, claim, sealed, settle_all


@pytest.fixture
def small_files():
    """From now on no file of this process grows beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


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
        outbox = SqliteOutbox(str(path), ballast=True)
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

        database = Database(path)
        assert database.submit(work).result() == 1
        database.close()
        assert not ballast.exists()
        settle_all(outbox, lease, Delivered())
        outbox.prune(NOW)
        assert ballast.exists()
        outbox.close()

    def test_a_limit_of_sizes_is_a_full_disk_so_what_is_there_is_settled(self, path, small_files):
        """As a quota is. SQLite tells either as a disk that fails, after which the file is opened anew first."""
        outbox = opened(path)
        outbox.put([event(n) for n in range(20)], NOW)
        lease = claim(outbox, limit=20)
        small_files(path.stat().st_size)
        for n in range(1, 3):
            with pytest.raises(OutboxUnavailable, match="the disk is nearly full"):
                outbox.put([event(n) for n in range(1_000 * n, 1_000 * n + 900)], NOW)
        settle_all(outbox, lease, Delivered())
        assert outbox.counts()["1"].delivered == 20
        outbox.close()

    def test_where_no_file_may_be_written_a_start_says_so_and_promises_no_other_try(self, path, small_files):
        small_files(0)
        with pytest.raises(OutboxUnavailable, match="full, or a quota is; free some space, then try again"):
            opened(path)

    @pytest.mark.parametrize(
        ("free", "total", "laid"),
        [
            (1 << 40, 1 << 40, 1 << 40),
            (1 << 30, 1 << 40, 1 << 30),
            (250 << 20, 1 << 40, 0),  # a large disk that is nearly full
            (900 << 20, 1 << 30, 900 << 20),
            (20 << 20, 24 << 20, 20 << 20),
            (8 << 20, 8 << 20, 0),
            (0, 0, 0),
        ],
    )
    def test_it_is_a_fiftieth_of_what_is_free_and_none_on_a_tiny_disk(self, path, monkeypatch, free, total, laid):
        found = SimpleNamespace(f_bavail=free, f_blocks=total, f_frsize=1)
        monkeypatch.setattr(disk.os, "statvfs", lambda _: found)
        disk.Room(path).lay()
        ballast = path.with_name("outbox.db-ballast")
        size = ballast.stat().st_size if ballast.exists() else 0
        assert size == min(64 << 20, int(laid * 0.02))

    def test_a_program_that_only_accepts_lays_none(self, path):
        outbox = opened(path)
        outbox.put([sealed("a")], NOW)
        outbox.prune(NOW)
        assert not path.with_name("outbox.db-ballast").exists()
        outbox.close()


class TestMountsFromElsewhere:
    @pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
    def test_one_without_locks_is_not_called_a_folder_that_is_not_writable(self, path, monkeypatch, number):
        def no_locks(*_):
            raise OSError(number, "No locks available")

        replace_in(one_at_a_time, "fcntl", monkeypatch, flock=no_locks)
        with pytest.raises(SettingsError, match=r"cannot be locked.*keep it on a local disk.*then try again"):
            opened(path)

    def test_one_that_shares_no_memory_is_not_called_a_disk_that_fails(self, path):
        error = apsw.IOError("disk I/O error")
        error.extendedresult = apsw.SQLITE_IOERR_SHMMAP
        assert "keep it on a local disk" in explain(path, error)


@pytest.mark.parametrize("free", range(7))
def test_where_no_more_files_may_be_opened_that_is_said_and_not_that_the_file_is_damaged(path, free):
    opened(path).close()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]  # the lowest number that is free, and so all below it are taken
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1 + free, before[1]))
    refused = []
    try:
        outbox = opened(path)
        outbox.erase(["0" * 64], NOW)
        outbox.close()
    except (SettingsError, OutboxUnavailable) as error:
        refused.append(str(error))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        os.close(taken[0])
    assert all("ulimit -n" in told and "damaged" not in told for told in refused), refused
    assert refused or free > 3
    assert opened(path).set_aside() == []
