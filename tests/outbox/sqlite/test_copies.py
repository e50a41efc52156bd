"""Copies of the outbox that were not made by `backup`, and what a copy does not know."""

import contextlib
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from conversion_relay.errors import SettingsError
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.sqlite import backup as sqlite_backup
from conversion_relay.outbox.sqlite import handover, put_back
from conversion_relay.outbox.sqlite.backup import backup, restore, verify
from conversion_relay.outbox.sqlite.file import PAGE
from conversion_relay.outbox.verdict import Dead
from tests.outbox.sqlite.files import opened, rows
from tests.outbox.sqlite.old_schemas import write_schema_1, write_schema_2, write_schema_3, write_schema_4
from tests.outbox.suite import NOW, claim, sealed, settle_all


def write_ours(path):
    outbox = opened(path)
    outbox.put([sealed("a")], NOW - 7)
    outbox.close()


def with_its_log(path, copy):
    shutil.copyfile(path, copy)
    shutil.copyfile(f"{path}-wal", f"{copy}-wal")


@pytest.mark.parametrize("way", ["cp", "restore"])
def test_a_backup_is_doubtful_in_whatever_way_it_is_put_back(tmp_path, caplog, way):
    """Once: what is put later is not, and a second start tells nothing."""
    path, copy, again = (tmp_path / name for name in ("outbox.db", "copy.db", "again.db"))
    outbox = opened(path)
    outbox.put([sealed("a"), sealed("b")], NOW)
    backup(path, copy)
    outbox.close()
    shutil.copyfile(copy, again) if way == "cp" else restore(copy, again)
    opened(again).close()
    outbox = opened(again)
    outbox.put([sealed("c")], NOW)
    outbox.close()
    outbox = opened(again)
    assert {e.event_id: e.sent_at for e in claim(outbox).events} == {"a": NOW, "b": NOW, "c": None}
    assert outbox.counts()["1"].imbalance == 0
    outbox.close()
    told = [message for message in caplog.messages if "stands in the outbox's place" in message]
    assert len(told) == (way == "cp")


def test_a_copy_of_what_was_handed_over_stays_so(tmp_path):
    write_ours(tmp_path / "outbox.db")
    rows(tmp_path / "outbox.db", f"PRAGMA application_id = {handover.MARK}")
    backup(tmp_path / "outbox.db", tmp_path / "copy.db")
    restore(tmp_path / "copy.db", tmp_path / "again.db")
    for name in ("copy.db", "again.db"):
        assert handover.is_marked(tmp_path / name)


def vacuumed(path, copy):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("VACUUM INTO ?", (str(copy),))


def by_pages(path, copy):
    with contextlib.closing(sqlite3.connect(path)) as old, contextlib.closing(sqlite3.connect(copy)) as new:
        old.backup(new)


@pytest.mark.parametrize("way", [with_its_log, vacuumed, by_pages])
def test_a_copy_by_another_way_while_it_is_in_use_is_whole_and_doubtful(tmp_path, way):
    outbox = opened(tmp_path / "outbox.db")
    outbox.put([sealed("a"), sealed("b")], NOW)
    claim(outbox, limit=1)
    way(tmp_path / "outbox.db", tmp_path / "copy.db")
    outbox.close()
    assert restore(tmp_path / "copy.db", tmp_path / "restored.db").waiting == 2
    outbox = opened(tmp_path / "restored.db")
    outbox.waiting(NOW)  # the leases of who is gone are taken back
    assert {e.event_id: e.sent_at for e in claim(outbox).events} == {"a": NOW, "b": NOW}
    outbox.close()


@pytest.mark.parametrize("write", [write_schema_1, write_schema_2, write_schema_3, write_schema_4, write_ours])
def test_what_sqlite_dumped_is_an_outbox_again(tmp_path, write):
    """A dump has everything but the number of the schema."""
    path, dumped = tmp_path / "outbox.db", tmp_path / "dumped.db"
    write(path)
    with contextlib.closing(sqlite3.connect(path)) as old, contextlib.closing(sqlite3.connect(dumped)) as new:
        new.executescript("\n".join(old.iterdump()))
    events = restore(dumped, tmp_path / "restored.db").events
    for file in (dumped, tmp_path / "restored.db"):
        outbox = opened(file)
        (book,) = outbox.counts().values()
        assert (book.accepted, book.imbalance) == (events, 0)
        outbox.close()


DIGEST = "a" * 64
DENIED, SEEN = Visit(consent="denied", for_long=True), Visit(client_ip_address="203.0.113.7")


def of(name, digest="", event_name="Lead", **how):
    body = f'{{"event_name":"{event_name}","event_id":"{name}","user_data":{{"em":["{digest}"]}}}}'
    return sealed(name, name=event_name, body=body.encode(), **how)


@pytest.fixture
def yesterday(tmp_path):
    """A copy, and the outbox in which people were forgotten since; both are as they were left."""
    path, copy, moved = (tmp_path / name for name in ("outbox.db", "copy.db", "moved.db"))
    outbox = opened(path)
    outbox.put([of("dead", DIGEST)], NOW)
    settle_all(outbox, claim(outbox), Dead("refused"))
    outbox.put([of("taken back while it was sent", event_name="ViewContent")], NOW - 1)
    named = of(f"order-{DIGEST}", event_name="Purchase")
    outbox.put([of("stays"), of("erased", DIGEST), named, of("declined", event_name="ViewContent")], NOW)
    for order in ("forgotten", "said no", "kept"):
        outbox.remember_visitor(order, SEEN, NOW)
    backup(path, copy)
    claim(outbox, limit=1)
    outbox.withdraw("1", ["declined", "taken back while it was sent"], NOW)
    outbox.remember_visitor("said no", DENIED, NOW)
    rows(path, "DELETE FROM visitor WHERE key = 'forgotten'")
    assert outbox.erase([DIGEST], NOW) == 3
    outbox.put([sealed("later")], NOW)
    backup(path, moved)  # as it is while the event is on its way
    outbox.close()
    for left in tmp_path.glob("outbox.db*"):
        left.rename(tmp_path / f"gone-{left.name}")
    return copy, moved


def test_who_was_forgotten_since_is_forgotten_in_the_copy_too(tmp_path, yesterday):
    copy, moved = yesterday
    path = tmp_path / "outbox.db"
    done = restore(copy, path, moved)
    assert (done.events, done.erased) == (6, 4)
    content = path.read_bytes()
    outbox = opened(path)
    sent = {e.event_id: e.consent for e in claim(outbox).events}
    assert sent == {"stays": None, "taken back while it was sent": "withdrawn"}
    assert outbox.counts()["1"].imbalance == 0 and outbox.counts()["1"].erased == 4
    assert DIGEST.encode() not in content and b"declined" in content
    assert outbox.find("declined")[0].reason == "withdrawn"
    visits = [outbox.visitor(order, NOW) for order in ("forgotten", "said no", "kept")]
    assert visits == [None, DENIED, SEEN]
    outbox.close()


def test_without_the_other_outbox_they_come_back(tmp_path, yesterday):
    copy, _ = yesterday
    assert restore(copy, tmp_path / "outbox.db").erased == 0
    outbox = opened(tmp_path / "outbox.db")
    assert len(claim(outbox).events) == 5
    outbox.close()


def test_a_dead_letter_that_was_erased_so_long_ago_that_nobody_knows_it_is_erased(tmp_path, yesterday):
    copy, moved = yesterday
    rows(moved, "DELETE FROM event WHERE event_id = 'dead'")
    assert restore(copy, tmp_path / "outbox.db", moved).erased == 4
    outbox = opened(tmp_path / "outbox.db")
    assert outbox.dead() == []
    outbox.close()


@pytest.mark.parametrize("write", [write_ours, write_schema_2])
def test_another_outbox_tells_nothing_and_nothing_is_restored(tmp_path, yesterday, write):
    write(tmp_path / "another.db")
    with pytest.raises(SettingsError, match=r"another outbox|of another version"):
        restore(yesterday[0], tmp_path / "outbox.db", tmp_path / "another.db")
    assert not (tmp_path / "outbox.db").exists()


def test_a_damaged_one_tells_nothing_and_nothing_is_restored(tmp_path, yesterday):
    copy, moved = yesterday
    with moved.open("r+b") as file:
        file.seek(PAGE)
        file.write(b"\xff" * (moved.stat().st_size - PAGE))
    with pytest.raises(SettingsError, match="say each erasure again"):
        restore(copy, tmp_path / "outbox.db", moved)
    assert not (tmp_path / "outbox.db").exists()


def test_a_service_that_starts_while_a_copy_is_put_back_keeps_its_file(tmp_path, monkeypatch):
    """What it confirmed meanwhile would be gone with the file."""
    path, copy = tmp_path / "outbox.db", tmp_path / "copy.db"
    write_ours(tmp_path / "yesterday.db")
    backup(tmp_path / "yesterday.db", copy)
    service = []
    doubt = put_back.make_doubtful

    def starts(*arguments):
        doubt(*arguments)
        service.append(opened(path))
        service[0].put([sealed("b")], NOW)

    monkeypatch.setattr(put_back, "make_doubtful", starts)
    with pytest.raises(SettingsError, match=r"outbox\.db exists"):
        restore(copy, path)
    assert [event.event_id for event in claim(service[0]).events] == ["b"]
    service[0].close()
    assert not list(tmp_path.glob("*.restoring*"))


@pytest.mark.parametrize("second_by", ["backup", "restore"])
def test_who_makes_the_same_copy_at_the_same_time_waits_and_is_refused(tmp_path, monkeypatch, second_by):
    """Two timers: each would take the other's draft for its own."""
    target, source = tmp_path / "copy.db", tmp_path / "outbox.db"
    write_ours(source)
    again = {"backup": backup, "restore": restore}[second_by]
    second = ThreadPoolExecutor(1)
    asked = []

    def meanwhile(path, name=""):
        if not asked:
            asked.append(second.submit(again, source, target))
            with contextlib.suppress(TimeoutError):
                asked[0].result(0.5)
        return verify(path, name)

    monkeypatch.setattr(sqlite_backup, "verify", meanwhile)
    assert backup(source, target) == 1
    with pytest.raises(SettingsError, match="exists"):
        asked[0].result(10)
    assert verify(target) == 1
    assert not list(tmp_path.glob("copy.db.*"))
