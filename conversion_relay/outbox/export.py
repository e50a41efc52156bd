"""Dead letters as a table for a spreadsheet, in which no cell is a formula.

https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import io
import time
from collections.abc import Iterable

from conversion_relay.outbox.story import Story

_HEADINGS = (
    *("dataset", "event_name", "event_id", "event_time", "state", "reason", "field", "meta_said", "code", "subcode"),
    *("fbtrace_id", "can_be_sent_until"),
)


def dead_csv(stories: Iterable[Story]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_HEADINGS)
    for story in stories:
        last = story.history[-1] if story.history else None
        said = (
            (last.field, last.sentence or last.title, last.code, last.subcode, last.fbtrace_id) if last else [None] * 5
        )
        named = (story.dataset, story.event_name, story.event_id, _clock(story.event_time), story.state, story.reason)
        writer.writerow([safe_cell(cell) for cell in (*named, *said, _clock(story.expires_at))])
    return text.getvalue()


def safe_cell(cell: object) -> str:
    """
    >>> safe_cell("=HYPERLINK(1)"), safe_cell(None), safe_cell("a\\nb"), safe_cell("\\t\uff1d1")
    ("'=HYPERLINK(1)", '', 'a b', "' \uff1d1")
    """
    text = "" if cell is None else "".join(c if c.isprintable() else " " for c in str(cell))
    return f"'{text}" if text.lstrip()[:1] in _BEGINNINGS else text


_BEGINNINGS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""Of a formula, also in the wide letters of Japanese keyboards."""


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))
