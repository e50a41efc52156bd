"""A damaged file: nothing is lost that can be read, nothing wrong is sent, and the operator is told."""

import errno
import os
import stat
import subprocess
import sys
import threading

import apsw
import pytest

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox import SideCounts, place
from conversion_relay.outbox.sqlite import salvage as salvaging
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.sqlite.salvage import finish_salvage, salvage
from tests.one_module import replace_in
from tests.outbox.sqlite import killing
from tests.outbox.sqlite.files import EVENTS, PAGE, drained, event, filled, opened, or_none, overwrite, pages_of
from tests.outbox.sqlite.old_schemas import write_schema_2
from tests.outbox.suite import NOW, claim, sealed
from tests.processes import until


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

    def test_somebody_elses_damaged_file_is_left_alone(self, path):
        path.write_bytes(b"SQLite format 3\x00" + os.urandom(8192))
        before = path.read_bytes()
        with pytest.raises(SettingsError, match="no outbox"):
            opened(path)
        assert path.read_bytes() == before


def test_a_salvaged_file_still_knows_visitors_consent_and_the_pixels_reports(path):
    outbox = opened(path)
    outbox.put([sealed("a", consent="granted")], NOW)
    outbox.remember_visitor("o", Visit(fbp="fb.1.1.1"), NOW)
    outbox.note_pixel("1", [("Lead", "a"), ("Lead", "b")], NOW).result()
    outbox.close()
    salvage(path)
    again = opened(path)
    assert again.visitor("o", NOW) == Visit(fbp="fb.1.1.1")
    assert again.deduplication() == {"1": {"Lead": SideCounts(both=1, browser_only=1)}}
    again.note_pixel("1", [("Lead", "a")], NOW).result()
    assert again.deduplication() == {"1": {"Lead": SideCounts(both=1, browser_only=1)}}
    assert claim(again).events[0].consent == "granted"
    again.close()


def test_a_damaged_file_of_schema_2_loses_nothing_that_can_be_read(path):
    write_schema_2(path)
    salvage(path)
    outbox = opened(path)
    assert outbox.find("w")[0].state == "pending" and outbox.find("x")[0].state == "delivered"
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


@pytest.mark.parametrize("kind", killing.DAMAGE)
def test_a_start_that_is_killed_at_any_step_of_a_salvage_loses_nothing(tmp_path, kind):
    command = [sys.executable, "-m", "tests.outbox.sqlite.killing", str(tmp_path), kind]
    done = subprocess.run(command, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert int(done.stdout) > 30, "so many steps there are"


class TestASalvageThatIsInterrupted:
    @pytest.fixture
    def broken(self, path):
        filled(path, 500)
        overwrite(path, pages_of(path, "body")[2], b"\xff" * 600)
        return path

    def test_by_an_error_goes_on_when_the_file_is_opened_again(self, broken, monkeypatch, caplog):
        with monkeypatch.context() as bad:
            bad.setattr("conversion_relay.outbox.sqlite.salvage.copy", full)
            with pytest.raises(OutboxUnavailable, match=r"cannot be saved: the disk of outbox\.db is full"):
                opened(broken)
        assert broken.exists(), "the damaged file stays where it was"
        outbox = opened(broken)
        assert outbox.counts()["1"].accepted == 500
        (told,) = [record for record in caplog.records if "interrupted" in record.message]
        assert broken.with_name(told.aside).exists()
        outbox.close()

    def test_by_a_disk_that_takes_no_file_says_what_is_wrong(self, broken, monkeypatch):
        with monkeypatch.context() as bad:
            bad.setattr("shutil.copyfileobj", no_space)
            with pytest.raises(OutboxUnavailable, match="cannot be saved: No space left"):
                opened(broken)
        outbox = opened(broken)
        assert outbox.counts()["1"].accepted == 500
        outbox.close()

    def test_goes_by_copies_where_the_file_system_knows_no_links(self, broken, monkeypatch):
        replace_in(salvaging, "os", monkeypatch, link=no_space)
        outbox = opened(broken)
        (aside,) = broken.parent.glob("outbox.db.damaged-*Z")
        assert b"\xff" * 600 in aside.read_bytes() and not aside.samefile(broken)
        assert outbox.counts()["1"].accepted == 500
        outbox.close()

    def test_of_a_file_that_was_taken_away_meanwhile_is_given_up(self, broken, monkeypatch):
        with monkeypatch.context() as bad:
            bad.setattr("conversion_relay.outbox.sqlite.salvage.copy", full)
            with pytest.raises(OutboxUnavailable):
                opened(broken)
        broken.unlink()
        outbox = opened(broken)
        assert outbox.counts() == {}
        outbox.close()
        assert finish_salvage(broken) is None


def full(*_):
    raise apsw.FullError("database or disk is full")


def no_space(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_no_copy_that_is_made_can_be_read_by_others(path):
    filled(path, 500)
    overwrite(path, pages_of(path, "body")[2], b"\xff" * 600)
    opened(path).close()
    for part in path.parent.glob("outbox.db*"):
        assert part.is_dir() or stat.S_IMODE(part.stat().st_mode) == 0o600, part


def test_another_process_that_has_the_damaged_file_open_acknowledges_nothing_into_it(path):
    neighbour = opened(path)
    neighbour.put([sealed("a")], NOW)
    salvage(path)
    with pytest.raises(OutboxUnavailable, match=r"deleted or moved away|another file stands"):
        neighbour.put([sealed("b")], NOW)
    until(lambda: or_none(lambda: neighbour.put([sealed("c")], NOW)))
    neighbour.close()
    again = opened(path)
    assert {e.event_id for e in claim(again).events} >= {"a", "c"}
    again.close()


def test_what_is_set_aside_is_named(path):
    assert opened(path).set_aside() == []
    salvage(path)
    salvage(path)
    path.with_name("outbox.db.rescued-20260101T000000Z").write_bytes(b"")
    left = ["outbox.db.moved", "outbox.db.moved-1", "outbox.db.restoring"]
    for name in left:
        path.with_name(name).write_bytes(b"")
    path.with_name("other.db.damaged-20260101T000000Z").write_bytes(b"")
    outbox = opened(path)
    named = outbox.set_aside()
    outbox.close()
    assert "outbox.db.rescued-20260101T000000Z" in named and not any("other" in name for name in named)
    assert set(left) <= set(named)
    assert len([name for name in named if name.startswith("outbox.db.damaged-")]) >= 2
    assert all(path.with_name(name).exists() for name in named)


def test_a_folder_that_is_closed_to_this_user_is_not_called_damage(path, monkeypatch):
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_text", closed)  # root may look anywhere
    replace_in(salvaging, "os", monkeypatch, access=lambda *_, **__: False)
    replace_in(place, "os", monkeypatch, open=closed)
    with pytest.raises(SettingsError, match="cannot be opened for writing: Permission denied"):
        opened(path)
