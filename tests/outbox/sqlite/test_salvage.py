"""A damaged file: nothing is lost that can be read, nothing wrong is sent, and the operator is told."""

import os
import threading

import pytest

from conversion_relay.errors import SettingsError
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox import SideCounts
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.sqlite.salvage import salvage
from tests.outbox.sqlite.files import EVENTS, PAGE, drained, event, filled, opened, overwrite, pages_of
from tests.outbox.sqlite.old_schemas import write_schema_2
from tests.outbox.suite import NOW, claim, sealed


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
