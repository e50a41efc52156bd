"""Batches whose events lie apart: delivered for everybody at once, in their own rows a little later."""

import shutil

import pytest

from conversion_relay.errors import LeaseLost
from conversion_relay.outbox import Attempt
from conversion_relay.outbox.sqlite import delivered
from conversion_relay.outbox.sqlite.salvage import salvage
from conversion_relay.outbox.story import Search
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.outbox.sqlite.files import opened, rows
from tests.outbox.suite import NOW, claim, sealed, settle_all

DATASETS = ("1", "2", "3", "4", "5")
EACH = 40
TAKEN = Attempt(at=NOW, outcome="accepted", status=200, fbtrace_id="A1")
BODIES = "SELECT count(*) FROM body"
WAITING = "SELECT count(*) FROM event WHERE state = 'waiting'"


@pytest.fixture
def outbox(path):
    """The events of five datasets came in turns."""
    outbox = opened(path)
    outbox.put([sealed(f"{name}-{n}", dataset=name) for n in range(EACH) for name in DATASETS], NOW)
    yield outbox
    outbox.close()


def deliver(outbox, *names):
    leases = [claim(outbox, dataset=name) for name in names]
    for lease in leases:
        settle_all(outbox, lease, Delivered(), TAKEN)
    return leases


def killed(path, tmp_path):
    """The file as the next process finds it."""
    folder = tmp_path / "killed"
    folder.mkdir()
    for file in path.parent.glob("outbox.db*"):
        if file.is_file():
            shutil.copyfile(file, folder / file.name)
    return folder / path.name


def states(outbox):
    counts = outbox.counts()
    assert not any(book.imbalance for book in counts.values())
    return {name: (book.pending + book.leased, book.delivered, book.erased) for name, book in counts.items()}


def test_they_are_delivered_at_once_for_everybody_who_asks(outbox, path):
    deliver(outbox, "1")
    assert rows(path, BODIES) == rows(path, WAITING) == [(200,)], "their own rows do not say it yet"
    assert states(outbox) == {"1": (0, EACH, 0)} | dict.fromkeys(DATASETS[1:], (EACH, 0, 0))
    (story,) = outbox.find("1-7")
    assert (story.state, story.attempts, story.settled_at, story.reason) == ("delivered", 1, NOW, None)
    assert [attempt.fbtrace_id for attempt in story.history] == ["A1"]
    assert {story.state for story in outbox.recent(200) if story.dataset == "1"} == {"delivered"}
    pending = outbox.search(Search(state="pending", limit=500)).stories
    assert len(pending) == 4 * EACH and not any(story.dataset == "1" for story in pending)
    assert sum(figures.delivered for figures in outbox.figures(0)) == EACH
    assert outbox.waiting(NOW).keys() == set(DATASETS[1:])
    assert outbox.put([sealed("1-7")], NOW)[0].duplicate


def test_what_is_written_up_is_told_as_before(outbox, path):
    deliver(outbox, "1", "3")
    before = sorted(outbox.recent(500), key=lambda story: story.key)
    outbox.tidy(NOW)
    assert rows(path, BODIES) == rows(path, WAITING) == [(3 * EACH,)]
    assert sorted(outbox.recent(500), key=lambda story: story.key) == before
    assert len(outbox.search(Search(state="delivered", limit=500)).stories) == 2 * EACH
    assert rows(path, "SELECT count(*) FROM delivered") == [(0,)]


@pytest.mark.parametrize("way", ["tidy", "prune", "close", "many"])
def test_it_is_written_up_by(way, outbox, path, monkeypatch):
    if way == "many":
        monkeypatch.setattr("conversion_relay.outbox.sqlite.outbox.MOST_NOTED", EACH)
    deliver(outbox, "1")
    {"tidy": outbox.tidy, "prune": outbox.prune, "close": lambda _: outbox.close(), "many": lambda _: None}[way](NOW)
    assert rows(path, BODIES) == [(4 * EACH,)]


def test_what_lies_together_or_is_little_is_settled_row_by_row(outbox, path):
    outbox.put([sealed(f"near-{n}", dataset="6") for n in range(EACH)], NOW)
    settle_all(outbox, claim(outbox, dataset="6"), Delivered())
    settle_all(outbox, claim(outbox, 31, dataset="2"), Delivered())
    assert rows(path, BODIES) == [(5 * EACH - 31,)]


def test_what_is_no_delivery_is_settled_row_by_row(outbox, path):
    settle_all(outbox, claim(outbox), Dead("refused"), TAKEN)
    assert rows(path, "SELECT count(*) FROM event WHERE state = 'dead'") == [(EACH,)]


def test_a_lease_is_settled_once(outbox):
    (lease,) = deliver(outbox, "1")
    with pytest.raises(LeaseLost):
        settle_all(outbox, lease, Delivered())
    assert states(outbox)["1"] == (0, EACH, 0)


def test_after_a_kill_nothing_is_sent_again_and_the_next_process_writes_it_up(outbox, path, tmp_path):
    deliver(outbox, "1")
    file = killed(path, tmp_path)
    after = opened(file)
    assert after.waiting(NOW).keys() == set(DATASETS[1:]) and after.claim("1", 1_000, 60, NOW) is None
    after.tidy(NOW)
    assert states(after)["1"] == (0, EACH, 0)
    assert rows(file, BODIES) == [(4 * EACH,)]
    after.close()


def test_a_writing_up_that_was_interrupted_is_done_again_and_counts_no_attempt_twice(outbox, path, monkeypatch):
    monkeypatch.setattr(delivered, "STEP", 10)
    deliver(outbox, "1", "2")
    for work in list(delivered.to_write_up(outbox._database.read))[:5]:
        outbox._database.carry_out(work)
    assert rows(path, "SELECT count(*) FROM event WHERE state = 'delivered'") == [(50,)]
    outbox.tidy(NOW)
    assert rows(path, "SELECT DISTINCT attempts, settled_at FROM event WHERE state = 'delivered'") == [(1, NOW)]
    assert states(outbox)["1"] == states(outbox)["2"] == (0, EACH, 0)


def test_two_at_once_drop_nothing_that_the_other_has_not_seen(outbox, path):
    deliver(outbox, "1")
    slow = list(delivered.to_write_up(outbox._database.read))
    outbox.tidy(NOW)
    deliver(outbox, "2")
    for work in slow:
        outbox._database.carry_out(work)
    outbox.tidy(NOW)
    assert rows(path, WAITING) == rows(path, BODIES) == [(3 * EACH,)]
    assert {story.state for story in outbox.recent(500) if story.dataset == "2"} == {"delivered"}


def test_what_was_erased_while_it_was_leased_is_not_delivered(outbox):
    lease = claim(outbox)
    assert outbox.erase_chosen([lease.events[3].key], NOW) == 1
    settle_all(outbox, lease, Delivered())
    assert states(outbox)["1"] == (0, EACH - 1, 1)
    assert sum(figures.delivered for figures in outbox.figures(0)) == EACH - 1
    assert outbox.find("1-3")[0].state == "erased"


def test_what_is_erased_before_it_is_written_up_stays_erased(outbox, path):
    (lease,) = deliver(outbox, "1")
    assert outbox.erase_chosen([lease.events[3].key], NOW) == 1
    outbox.tidy(NOW)
    assert states(outbox)["1"] == (0, EACH - 1, 1)
    assert outbox.find("1-3")[0].state == "erased"
    assert rows(path, BODIES) == [(4 * EACH,)]


def test_what_meta_has_cannot_be_withdrawn_whether_it_is_written_up_or_not(outbox, path):
    deliver(outbox, "1")
    claim(outbox, dataset="2")
    for name in ("1", "2"):
        assert outbox.withdraw(name, [f"{name}-3"], NOW) == 0
    outbox.tidy(NOW)
    marked = rows(path, "SELECT event_id FROM event WHERE consent = 'withdrawn'")
    assert marked == [("2-3",)], "who holds it is told, and of what Meta has nothing is said"
    assert states(outbox)["1"] == (0, EACH, 0) and outbox.find("1-3")[0].state == "delivered"


def test_an_erasure_leaves_no_body_that_was_delivered(outbox, path):
    digest = "ab" * 32
    body = b'{"em":"%s"}' % digest.encode()
    outbox.put([sealed(f"{name}+{n}", name, body=body) for n in range(EACH) for name in DATASETS], NOW)
    deliver(outbox, *DATASETS)
    assert outbox.erase([digest], NOW) == 0
    assert digest.encode() not in path.read_bytes()


def test_it_is_saved_from_a_damaged_file(outbox, path):
    deliver(outbox, "1")
    outbox._noted = 0  # as if it was killed
    outbox.close()
    assert salvage(path).events == 200
    after = opened(path)
    assert after.claim("1", 1_000, 60, NOW) is None
    assert states(after)["1"] == (0, EACH, 0)
    after.close()


@pytest.mark.parametrize("change", ["keys = zeroblob(320)", "keys = substr(keys, 1, 311)", "checksum = 1"])
def test_a_batch_that_a_bad_disk_changed_ends_nothing(outbox, path, tmp_path, change):
    deliver(outbox, "1")
    file = killed(path, tmp_path)
    rows(file, f"UPDATE delivered SET {change}")
    salvage(file)
    after = opened(file)
    assert len(claim(after).events) == EACH, "sent again, which Meta knows by the ids"
    after.close()
