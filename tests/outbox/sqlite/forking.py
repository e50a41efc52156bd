"""Programs that fork while an outbox is open; `python -m tests.outbox.sqlite.forking NAME FILE` runs one of them.

Each runs in a process of its own, so that a hang is a timeout of the test, and the test process with its threads does
not fork. A child ends with os._exit, unless its ordinary end is what is looked at."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.sqlite.children import ends_well, ids, in_child, put
from tests.outbox.sqlite.files import opened
from tests.outbox.suite import NOW, claim, sealed, settle_all


def both_put(path: Path) -> None:
    outbox = opened(path)
    put(outbox, "before")

    def child() -> None:
        put(outbox, "child")
        assert outbox.put([sealed("before")], NOW)[0].duplicate is True
        assert outbox.counts()["1"].imbalance == 0

    pid = in_child(child)
    put(outbox, "parent")
    ends_well(pid)
    put(outbox, "after")
    assert ids(path) == {"before", "child", "parent", "after"}
    book = outbox.counts()["1"]
    assert (book.accepted, book.pending, book.imbalance) == (4, 4, 0)
    outbox.close()


def the_child_reads_first(path: Path) -> None:
    outbox = opened(path)
    put(outbox, "before")

    def child() -> None:
        assert outbox.counts()["1"].accepted == 1
        assert outbox.find("before")[0].state == "pending"
        outbox.probe()

    ends_well(in_child(child))
    assert outbox.counts()["1"].accepted == 1, "the parent reads, too"
    outbox.close()


def multiprocessing_forks(path: Path) -> None:
    outbox = opened(path)
    put(outbox, "before")
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=put, args=(outbox, *(f"{n}-{m}" for m in range(50)))) for n in range(4)]
    for child in children:
        child.start()
    put(outbox, *(f"parent-{m}" for m in range(50)))
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert len(ids(path)) == 251 and outbox.counts()["1"].imbalance == 0
    outbox.close()


def closing_in_the_child_disturbs_nobody(path: Path) -> None:
    outbox = opened(path)
    put(outbox, "before")
    lease = claim(outbox)
    neighbour = opened(path)

    def child() -> None:
        put(outbox, "child")
        outbox.close()
        outbox.close()

    ends_well(in_child(child))
    ends_well(in_child(outbox.close))  # unused before
    assert neighbour.waiting(NOW).keys() == {"1"}
    assert neighbour.counts()["1"].leased == 1, "the parent's lease is still the parent's"
    settle_all(outbox, lease, Delivered())
    assert outbox.counts()["1"].delivered == 1
    put(outbox, "after")
    outbox.close()
    neighbour.close()
    assert ids(path) == {"before", "child", "after"}


def a_lease_of_the_child_is_the_childs(path: Path) -> None:
    outbox = opened(path)
    put(outbox, "before")
    read, write = os.pipe()
    done_read, done_write = os.pipe()

    def child() -> None:
        assert claim(outbox).events
        os.write(write, b"x")
        os.read(done_read, 1)  # and then it is gone without a word

    pid = in_child(child)
    os.read(read, 1)
    assert outbox.waiting(NOW) == {}, "the child lives, so its lease holds"
    os.write(done_write, b"x")
    ends_well(pid)
    assert outbox.waiting(NOW) == {"1": 0.0}
    assert claim(outbox).events[0].event_id == "before"
    outbox.close()


def a_dead_parents_lease_is_free_though_its_child_lives(path: Path) -> None:
    read, write = os.pipe()
    told_read, told_write = os.pipe()

    def parent() -> None:
        outbox = opened(path)
        put(outbox, "before")
        assert claim(outbox).events

        def child() -> None:
            os.write(told_write, b"x")
            os.read(read, 1)

        in_child(child)
        os.read(told_read, 1)

    ends_well(in_child(parent))
    outbox = opened(path)
    assert outbox.waiting(NOW) == {"1": 0.0}
    os.write(write, b"x")
    outbox.close()


def a_grandchild_and_a_child_that_never_used_it(path: Path) -> None:
    outbox = opened(path)

    def child() -> None:
        ends_well(in_child(lambda: put(outbox, "grandchild")))
        put(outbox, "child")
        ends_well(in_child(lambda: put(outbox, "another")))
        put(outbox, "child again")

    ends_well(in_child(child))
    put(outbox, "parent")
    assert ids(path) == {"grandchild", "child", "another", "child again", "parent"}
    outbox.close()


def forked_after_it_was_closed(path: Path) -> None:
    outbox = opened(path)
    outbox.close()

    def child() -> None:
        with pytest.raises(OutboxUnavailable, match="closed"):
            put(outbox, "child")

    ends_well(in_child(child))


def the_parents_threads_are_not_woken_by_the_child(path: Path) -> None:
    outbox, woken = opened(path), []
    outbox.on_put(lambda: woken.append(os.getpid()))

    def child() -> None:
        put(outbox, "child")
        assert woken == []
        outbox.on_put(lambda: woken.append(os.getpid()))
        put(outbox, "child 2")
        assert woken == [os.getpid()]

    ends_well(in_child(child))
    put(outbox, "parent")
    assert woken == [os.getpid()]
    outbox.close()


def a_file_deleted_meanwhile_is_not_begun_anew(path: Path) -> None:
    outbox = opened(path)
    put(outbox, "before")
    began_read, began_write = os.pipe()

    def child() -> None:
        os.read(began_read, 1)
        for _ in range(2):
            with pytest.raises(OutboxUnavailable, match="deleted or moved away"):
                put(outbox, "child")

    pid = in_child(child)
    path.rename(path.with_name("elsewhere"))
    os.write(began_write, b"x")
    ends_well(pid)
    assert not path.exists()
    path.with_name("elsewhere").rename(path)
    put(outbox, "parent")
    outbox.close()
    assert ids(path) == {"before", "parent"}


SCENARIOS: tuple[Callable[[Path], None], ...] = (
    both_put,
    the_child_reads_first,
    multiprocessing_forks,
    closing_in_the_child_disturbs_nobody,
    a_lease_of_the_child_is_the_childs,
    a_dead_parents_lease_is_free_though_its_child_lives,
    a_grandchild_and_a_child_that_never_used_it,
    forked_after_it_was_closed,
    the_parents_threads_are_not_woken_by_the_child,
    a_file_deleted_meanwhile_is_not_begun_anew,
)

if __name__ == "__main__":
    {work.__name__: work for work in SCENARIOS}[sys.argv[1]](Path(sys.argv[2]))
