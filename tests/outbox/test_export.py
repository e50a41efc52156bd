"""The table of dead letters: what Meta said of each, in the fullest words that it used."""

import csv
import io

import pytest

from conversion_relay.outbox.export import dead_csv
from conversion_relay.outbox.story import Attempt, Story

NOW = 1_795_435_200


def row(*history: Attempt) -> dict[str, str]:
    story = Story(
        dataset="1", event_name="Lead", event_id="e", event_time=NOW, accepted_at=NOW, expires_at=NOW, state="dead",
        reason="refused", attempts=len(history), due_at=None, settled_at=NOW, history=history,
    )  # fmt: skip
    (found,) = csv.DictReader(io.StringIO(dead_csv([story])))
    return found


@pytest.mark.parametrize(
    ("title", "sentence", "said"),
    [
        ("Invalid", "Send a currency.", "Send a currency."),
        ("Invalid", None, "Invalid"),
        (None, "Send it.", "Send it."),
        (None, None, ""),
    ],
)
def test_metas_sentence_stands_there_or_else_its_title(title, sentence, said):
    last = Attempt(at=NOW, outcome="refused", code=100, title=title, sentence=sentence, field="custom_data.currency")
    found = row(Attempt(at=NOW - 9, outcome="unreachable", title="earlier"), last)
    assert (found["meta_said"], found["code"], found["field"]) == (said, "100", "custom_data.currency")


def test_what_meta_never_saw_has_its_reason_alone():
    assert (row()["meta_said"], row()["code"], row()["reason"]) == ("", "", "refused")
