"""Who holds a lease is alive as long as the kernel says so."""

import multiprocessing
import os
from pathlib import Path

import pytest

from conversion_relay.outbox.sqlite import fork
from conversion_relay.outbox.sqlite.owner import Owner


def files(path: Path) -> set[str]:
    return {file.name for file in path.with_name("outbox.db-owners").iterdir()}


def test_two_owners_know_each_other_as_living_until_they_let_go(path):
    first, second = Owner(path), Owner(path)
    assert first.name != second.name
    assert not first.is_gone(second.name) and not second.is_gone(first.name)
    second.release()
    assert first.is_gone(second.name)
    assert files(path) == {first.name}
    first.release()


def _own_and_die(path: Path, names) -> None:
    names.put(Owner(path).name)
    names.close()
    names.join_thread()
    os.kill(os.getpid(), 9)


def test_one_that_was_killed_is_gone_and_its_file_is_swept_away(path):
    us = Owner(path)
    context = multiprocessing.get_context("spawn")
    names = context.Queue()
    process = context.Process(target=_own_and_die, args=(path, names))
    process.start()
    name = names.get(timeout=60)
    process.join(60)
    assert name in files(path)
    assert us.is_gone(name)
    assert files(path) == {us.name}
    us.release()


def test_what_dead_owners_left_is_swept_away_by_the_next_one(path):
    folder = path.with_name("outbox.db-owners")
    folder.mkdir()
    for n in range(20):
        (folder / f"{n}-dead").write_bytes(b"")
    us = Owner(path)
    assert files(path) == {us.name}
    us.release()


@pytest.mark.parametrize("name", ["never-there", "", ".", "..", "../outbox.db", "/etc/passwd", "a/b/c"])
def test_a_name_from_a_broken_row_reaches_no_file_outside(path, name):
    path.write_bytes(b"kept")
    us = Owner(path)
    assert us.is_gone(name) in (True, False)
    assert path.read_bytes() == b"kept" and Path("/etc/passwd").exists()
    assert not us.is_gone(us.name)
    us.release()


def test_a_released_lock_is_closed_once_and_not_by_a_child_again(path):
    before = set(fork.LOCKS)
    us = Owner(path)
    assert len(fork.LOCKS - before) == 1
    us.release()
    assert before == fork.LOCKS
