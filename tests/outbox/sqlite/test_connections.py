"""A file that is damaged, deleted, moved or copied while it is in use."""

import shutil

import pytest

from conversion_relay.errors import OutboxUnavailable
from tests.outbox.sqlite.files import (
    EVENTS,
    connections_made,
    drained,
    event,
    filled,
    opened,
    or_none,
    overwrite,
    pages_of,
)
from tests.outbox.suite import NOW, claim, sealed
from tests.processes import until


def test_damage_met_while_running_is_mended_without_a_restart(path):
    filled(path)
    with connections_made() as made:
        outbox = opened(path)
    page = pages_of(path, "body")[0]
    made[0].execute("PRAGMA cache_size = 0; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA shrink_memory").fetchall()
    overwrite(path, page, b"\xff" * 600)
    with pytest.raises(OutboxUnavailable, match="outbox"):
        drained(outbox)
    sent = until(lambda: or_none(lambda: drained(outbox)))
    assert EVENTS - 60 < len(sent) < EVENTS
    outbox.put([event(EVENTS)], NOW)
    assert outbox.counts()["1"].imbalance == 0
    outbox.close()


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
        until(lambda: or_none(lambda: outbox.put([sealed("c")], NOW)))
        ids = {e.event_id for e in claim(outbox).events}
        assert {"a", "c"} <= ids
        outbox.close()

    def test_who_has_not_noticed_it_writes_nothing_into_the_log_of_the_file_that_was_put_back(self, path):
        """Only the file was deleted; its log stayed, and both processes go on with it."""
        outbox, idle = opened(path), opened(path)
        outbox.put([sealed(f"a{n}") for n in range(300)], NOW)
        path.unlink()
        with pytest.raises(OutboxUnavailable, match="rescued"):
            until(lambda: _raises_rescued(outbox))
        (rescued,) = path.parent.glob("outbox.db.rescued-*Z")
        rescued.rename(path)
        until(lambda: or_none(lambda: outbox.put([sealed("b")], NOW)))
        with pytest.raises(OutboxUnavailable, match="another file"):
            idle.put([sealed(f"c{n}") for n in range(300)], NOW)
        until(lambda: or_none(lambda: idle.put([sealed("d")], NOW)))
        for one in (idle, outbox):
            one.close()
        again = opened(path)
        assert again.counts()["1"].pending == 302 and not again.set_aside()
        again.close()

    def test_a_file_that_is_moved_away_and_back_is_used_again(self, path):
        outbox = opened(path)
        elsewhere = path.with_name("elsewhere")
        path.rename(elsewhere)
        with pytest.raises(OutboxUnavailable, match="moved away"):
            outbox.probe()
        elsewhere.rename(path)
        until(lambda: or_none(lambda: outbox.put([sealed("a")], NOW)))
        assert claim(outbox).events[0].event_id == "a"
        outbox.close()

    def test_a_deleted_log_is_noticed_and_nothing_acknowledged_is_lost(self, path):
        outbox = opened(path)
        outbox.put([sealed("a")], NOW)
        path.with_name("outbox.db-wal").unlink()
        with pytest.raises(OutboxUnavailable, match="wal was deleted"):
            outbox.put([sealed("b")], NOW)
        until(lambda: or_none(lambda: outbox.put([sealed("c")], NOW)))
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


def test_a_copy_of_a_running_outbox_can_be_opened(path, tmp_path):
    outbox = opened(path)
    outbox.put([sealed("a")], NOW)
    copy = tmp_path / "copy.db"
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
    again = opened(copy)
    assert claim(again).events[0].event_id == "a"
    outbox.close()
    again.close()
