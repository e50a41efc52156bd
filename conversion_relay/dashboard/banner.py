"""What stands above each page: what needs a person, with the page where it is looked at or mended, and what is worth a
look though nothing is lost by it. Pure.

What needs a person is told by `attention.py`, to `status`, `doctor` and the notifier alike. Refused events, those that
are held, and a test code that was left on are for the page alone: nobody is woken by them.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

import msgspec

from conversion_relay.delivery.attention import NO_TEST_CODE, TEST_CODE, Known, Need, needs, together
from conversion_relay.outbox import Figures
from conversion_relay.settings import Dataset

MANY_REFUSED = 0.01
"""Of a day's events, as in the rule RelayEventsRefused of docs/alerts.yml."""
MOST_HELD = 100
"""Held events that are counted."""
_LETTERS = "/dashboard/dead", "Dead letters"
_PAGES = {
    **dict.fromkeys(("all_refused", "error_share"), _LETTERS),
    **dict.fromkeys(("unauthorized", "misconfigured", "unserved_version", "tls"), ("/dashboard/datasets", "Datasets")),
    "imbalance": ("/dashboard#books", "The books"),
    "different_ids": ("/dashboard", "Both, server, browser"),
}
"""By the kind of a cause."""
_WAITING = {"expiry", "stranded", "nobody_delivers", "outage", "unknown_error", "too_large", "foreign_answer"}


class Line(Need, frozen=True, kw_only=True):
    """A need, and the page for it."""

    path: str | None = None
    page: str | None = None


def lines(found: Known, *, today: Iterable[Figures], held: int, datasets: Sequence[Dataset]) -> list[Line]:
    """The worst first. `today`: of the last 24 hours; `held`: how many wait for a person's word."""
    return [
        *(_of(need, found) for need in together(needs(found))),
        *_letters(found, today, held),
        *_test_codes(datasets),
    ]


def _of(need: Need, found: Known) -> Line:
    kind = need.cause.partition(":")[0]
    path, page = _PAGES.get(kind, (None, None))
    if kind in _WAITING:
        query = {"state": "pending"} | ({"dataset": need.dataset} if need.dataset else {})
        path, page = f"/dashboard/events?{urlencode(query)}", "What waits"
    if kind == "error_share" and not any(book.dead for book in found.books.values()):
        path = page = None
    return Line(**msgspec.structs.asdict(need), path=path, page=page)


def _letters(found: Known, today: Iterable[Figures], held: int) -> Iterable[Line]:
    path, page = _LETTERS
    if held:
        told = "1 event is" if held == 1 else f"{held} events are" if held < MOST_HELD else f"{held} or more events are"
        what = f"{told} held: Meta may have what was sent over two days ago"
        fix = "look in Events Manager, and send only what is not there: Meta would count the other twice"
        yield Line(cause="held", urgent=False, what=what, fix=fix, path=path, page=page)
    figures = list(today)
    dead, delivered = sum(one.dead for one in figures), sum(one.delivered for one in figures)
    if dead > MANY_REFUSED * (dead + delivered) and any(book.dead for book in found.books.values()):
        what = f"Meta refused {dead:,} of {dead + delivered:,} events in 24 hours"
        fix = "see why, and what can be done"
        yield Line(cause="refused", urgent=False, what=what, fix=fix, path=path, page=page)


def _test_codes(datasets: Sequence[Dataset]) -> Iterable[Line]:
    named = [dataset.pixel_id for dataset in datasets if dataset.test_event_code]
    if named:
        whose = f"dataset {named[0]}" if len(named) == 1 else f"{len(named)} datasets"
        yield Line(cause="test_code", urgent=False, what=TEST_CODE % whose, fix=NO_TEST_CODE)
