"""An outbox that is looked at: all that is committed is seen, and no file is made or changed."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import apsw
import pytest

from conversion_relay.errors import OutboxUnavailable, SettingsError, UnsupportedByOutbox
from conversion_relay.outbox import open_outbox
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.sqlite.read_only import SqliteReader
from tests.outbox.sqlite.files import PAGE, filled, opened, overwrite, pages_of, rows
from tests.outbox.sqlite.old_schemas import write_schema_1, write_schema_2, write_schema_3, write_schema_4
from tests.outbox.suite import NOW, sealed


def folder(path: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file beside the outbox: its inode, its time, its bytes; of a log's index only that it is there, since
    readers take locks in it."""
    return {
        file.name: (0, 0, b"") if file.name.endswith("-shm") else _state(file)
        for file in path.parent.rglob("*")
        if file.is_file()
    } | {file.name: (0, 0, b"") for file in path.parent.rglob("*") if file.is_dir()}


def _state(file: Path) -> tuple[int, int, bytes]:
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, file.read_bytes()


def looked(path: Path) -> int:
    """How many events are pending; every verb that looks is asked."""
    reader = SqliteReader(str(path))
    try:
        reader.find("a"), reader.dead(5), reader.held(5), reader.recent(5), reader.deduplication(), reader.set_aside()
        return sum(book.pending for book in reader.counts().values())
    finally:
        reader.close()


NO_OUTBOX = "no outbox at /.*makes one$"


@pytest.mark.parametrize(
    ("place", "told"), [("nowhere.db", NO_OUTBOX), ("no/such/folder.db", NO_OUTBOX), (".", "that is a folder; ")]
)
def test_a_place_without_an_outbox_is_told_and_stays_empty(tmp_path, place, told):
    for access in ("read", "existing"):
        with pytest.raises(SettingsError, match=f"^RELAY_OUTBOX: {told}"):
            open_outbox(f"sqlite:///{tmp_path}/{place}", access)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"x", b"not a database at all " * 400, b"SQLite format 3\x00" + b"\xff" * 8_000]
)
def test_somebody_elses_file_is_told_and_left_alone(path, content):
    path.write_bytes(content)
    before = folder(path)
    with pytest.raises(SettingsError, match=r"^RELAY_OUTBOX: "):
        looked(path)
    assert folder(path) == before


def test_somebody_elses_database_is_no_outbox(path):
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE shop (id)").fetchall()
    db.close()
    before = folder(path)
    with pytest.raises(SettingsError, match=r"no outbox at .*: it is a database of something else"):
        looked(path)
    assert folder(path) == before


def test_what_was_closed_is_read_and_no_file_is_made(path):
    filled(path, 500)
    before = folder(path)
    assert looked(path) == 500
    assert folder(path) == before


def test_what_a_server_has_open_is_seen_at_once(path):
    outbox = opened(path)
    for n in range(3):
        outbox.put([sealed(f"e{n}")], NOW)
        before = folder(path)
        assert looked(path) == n + 1
        assert folder(path) == before
    outbox.close()


def killed(path: Path) -> None:
    """A process that accepted an event and was killed: its log and the log's index are left."""
    code = (
        "import os, sys; from tests.outbox.sqlite.files import opened; from tests.outbox.suite import NOW, sealed;"
        " from pathlib import Path; outbox = opened(Path(sys.argv[1])); outbox.put([sealed('e')], NOW); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert path.with_name("outbox.db-wal").stat().st_size


def test_what_a_killed_server_left_in_its_log_is_seen_and_left_there(path):
    killed(path)
    before = folder(path)
    assert looked(path) == 1
    assert folder(path) == before


def test_a_log_without_its_index_is_read_from_a_copy(path):
    killed(path)
    path.with_name("outbox.db-shm").unlink()
    before = folder(path)
    assert looked(path) == 1
    assert folder(path) == before


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_file_of_this_schema_is_looked_at_though_an_older_process_wrote_its_own_number(path, number):
    filled(path, 500)
    rows(path, f"PRAGMA user_version = {number}")
    assert looked(path) == 500


@pytest.mark.parametrize(
    ("write", "schema"), [(write_schema_1, 1), (write_schema_2, 2), (write_schema_3, 3), (write_schema_4, 4)]
)
def test_an_old_schema_is_named_and_not_brought_up_to_date_by_a_look(path, write, schema):
    write(path)
    before = folder(path)
    with pytest.raises(SettingsError, match=f"is of schema {schema}, this version reads 5: start `serve` or `deliver`"):
        looked(path)
    assert folder(path) == before


def test_a_damaged_file_is_not_mended_by_a_look(path):
    filled(path)
    for page in pages_of(path, "event"):
        overwrite(path, page, b"\xff" * PAGE)
    before = folder(path)
    with pytest.raises((SettingsError, OutboxUnavailable), match="is damaged; `serve` and `deliver` save"):
        looked(path)
    assert folder(path) == before


def test_a_server_that_starts_meanwhile_is_noticed(path):
    filled(path, 500)
    reader = SqliteReader(str(path))
    outbox = opened(path)
    outbox.put([sealed("fresh")], NOW)
    assert reader.counts()["1"].pending == 501
    reader.close()
    outbox.close()


def test_nothing_can_be_written_through_it(path):
    filled(path, 500)
    reader = SqliteReader(str(path))
    for write in (
        lambda: reader.put([sealed("a")], NOW),
        lambda: reader.withdraw("1", ["a"], NOW),
        lambda: reader.erase(["a"], NOW),
    ):
        with pytest.raises(UnsupportedByOutbox):
            write()
    reader.close()


@pytest.fixture
def place():
    """A folder that another user may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="read-only-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("state", ["closed", "killed"])
def test_a_user_who_may_only_read_sees_it_all(place, state):
    path = place / "outbox.db"
    if state == "killed":
        killed(path)
    else:
        outbox = SqliteOutbox(str(path))
        outbox.put([sealed("e")], NOW)
        outbox.close()
    for file in place.iterdir():
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.chmod(0o444)
    place.chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    before = folder(path)
    child = os.fork()
    if not child:
        code = 1
        try:
            if not os.geteuid():
                os.setuid(65534)
            code = 0 if looked(path) == 1 else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert folder(path) == before
    place.chmod(0o755)
