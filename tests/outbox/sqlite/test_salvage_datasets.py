"""Whose the events are, when the page with the datasets' names is lost."""

import os

import pytest

from conversion_relay.outbox import open_outbox
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.outbox.sqlite.files import PAGE, event, filled, overwrite, pages_of, rows
from tests.outbox.suite import NOW, sealed

LOST = [os.urandom(PAGE), b"\x00" * PAGE, b"\xff" * 100]


def without_names(path, lost: bytes) -> None:
    (page,) = pages_of(path, "dataset")
    overwrite(path, page, lost)


def pending(outbox: SqliteOutbox) -> dict[str, int]:
    return {name: book.pending for name, book in outbox.counts().items() if book.pending}


@pytest.mark.parametrize("lost", LOST, ids=["noise", "zeros", "head"])
def test_the_events_go_to_the_one_dataset_that_is_configured(path, lost):
    filled(path, 500)
    without_names(path, lost)
    outbox = open_outbox(f"sqlite:///{path}", dataset="1")
    assert pending(outbox) == {"1": 500} and outbox.counts()["1"].imbalance == 0
    (receipt,) = outbox.put([event(3)], NOW)
    assert receipt.duplicate, "they are known again, too"
    outbox.close()


def test_events_of_several_unreadable_datasets_are_one_datasets_too(path):
    outbox = SqliteOutbox(str(path))
    for dataset in "123":
        outbox.put([sealed("same", dataset=dataset), sealed(f"of {dataset}", dataset=dataset)], NOW)
    outbox.close()
    without_names(path, LOST[0])
    outbox = SqliteOutbox(str(path), dataset="7")
    assert pending(outbox) == {"7": 4} and outbox.counts()["7"].imbalance == 0
    assert len({e.event_id for e in outbox.claim("7", 10, 60, NOW).events}) == 4
    outbox.close()


def test_what_is_known_of_a_dataset_by_name_stays_its_own(path):
    outbox = SqliteOutbox(str(path))
    outbox.put([sealed("a", dataset="1"), sealed("b", dataset="2")], NOW)
    outbox.close()
    rows(path, "DELETE FROM dataset WHERE name = '2'")
    (page,) = pages_of(path, "queue")
    overwrite(path, page, LOST[0])
    outbox = SqliteOutbox(str(path), dataset="1")
    assert pending(outbox) == {"1": 2}
    outbox.close()


def test_with_several_configured_they_wait_and_the_operator_is_told_by_name(path, caplog):
    filled(path, 500)
    without_names(path, LOST[0])
    outbox = SqliteOutbox(str(path))
    assert pending(outbox) == {"unknown-1": 500}
    (told,) = [record for record in caplog.records if "cannot be read" in record.message]
    assert (told.levelname, told.dataset) == ("ERROR", "unknown-1") and told.aside in outbox.set_aside()
    outbox.close()


def test_events_without_row_and_without_a_name_are_the_configured_datasets(path):
    filled(path, 500)
    for page in pages_of(path, "event"):
        overwrite(path, page, LOST[0])
    without_names(path, LOST[0])
    outbox = SqliteOutbox(str(path), dataset="1")
    assert pending(outbox) == {"1": 500}
    outbox.close()
