"""What the pages tell of copies: where they go, and what became of each."""

import time

import pytest

from conversion_relay.meta.quality import TokenFacts
from conversion_relay.outbox.story import AtWork, SignOfLife
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.dashboard.here import REFUSED, Here

COPYING = """
[[dataset]]
META_PIXEL_ID = "1"
META_ACCESS_TOKEN = "token"
RELAY_COPIES_TO = "2, 3"

[[dataset]]
META_PIXEL_ID = "2"
META_ACCESS_TOKEN = "token"

[[dataset]]
META_PIXEL_ID = "3"
META_ACCESS_TOKEN = "token"
"""


@pytest.fixture
def copying(tmp_path):
    (tmp_path / "relay.toml").write_text(COPYING)
    here = Here(
        tmp_path, time.time(), RELAY_CONFIG=str(tmp_path / "relay.toml"), META_PIXEL_ID="", META_ACCESS_TOKEN=""
    )
    yield here
    here.relay.close()


def test_the_page_of_datasets_tells_where_copies_go_and_where_they_come_from(copying, here):
    page = copying.page("/dashboard/datasets")
    assert "to 2, 3" in page and page.count("from 1") == 2
    assert "Copies" not in here.page("/dashboard/datasets"), "a column that says nothing is not shown"


def test_one_event_tells_what_became_of_it_in_the_other_datasets(copying):
    for dataset in ("1", "2"):
        copying.put("lead-1", name="Lead", dataset=dataset)
    copying.put("lead-1", name="Contact", dataset="2")
    copying.settle(Delivered())
    copying.settle(Dead("meta_100_2804009"), REFUSED, dataset="2")
    page = copying.page("/dashboard/life?id=lead-1&name=Lead&dataset=1")
    own, _, elsewhere = page.partition("In other datasets")
    assert "arrived" in own and "A copy of each event goes to 2, 3." in elsewhere
    assert elsewhere.count("<li>") == 1 and "dataset 2" in elsewhere and "Enter a value." in elsewhere
    other = copying.page("/dashboard/life?id=lead-1&name=Lead&dataset=2").partition("In other datasets")[2]
    assert "This dataset gets copies from 1." in other and "dataset 1</a>" in other and "arrived" in other


def test_an_event_of_a_single_dataset_says_nothing_of_copies(here):
    here.put("lead-1", name="Lead")
    assert "In other datasets" not in here.page("/dashboard/life?id=lead-1")


def test_datasets_that_do_not_send_come_first_and_a_token_that_workers_see_refused_is_not_said_to_be_valid(
    copying, monkeypatch
):
    facts = dict.fromkeys("123", TokenFacts(is_valid=True, expires_at=None))
    monkeypatch.setattr("conversion_relay.delivery.dataset_quality.Scores.tokens", lambda *_: facts)
    works, refused = AtWork(), AtWork(why="unauthorized", troubles=("unauthorized",))
    copying.outbox.note_worker(SignOfLife(worker="w", at=copying.now, datasets={"1": works, "2": works, "3": refused}))
    page = copying.page("/dashboard/datasets")
    rows = page.partition("<tbody>")[2].split('<tr data-key="')[1:]
    assert [row[0] for row in rows] == ["3", "1", "2"]
    assert ["not valid: set a new one" in row for row in rows] == [True, False, False]
    assert "valid, does not end" in rows[1]
