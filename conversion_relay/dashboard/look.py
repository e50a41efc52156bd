"""What each page needs, read from the outbox and settings. Every question is bounded (`outbox.Overview`)."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from conversion_relay.dashboard import words
from conversion_relay.dashboard.banner import MOST_HELD, Line, lines
from conversion_relay.dashboard.dataset_rows import MANY, STATES, DatasetRows, copies_of
from conversion_relay.dashboard.figures import Memory, Row, bars
from conversion_relay.dashboard.notices import notices, refused_at_the_door
from conversion_relay.delivery.attention import Known, is_delivered, remedies_of, remedy_of, stopped
from conversion_relay.delivery.dataset_pace import PaceNow
from conversion_relay.delivery.dataset_quality import Scores
from conversion_relay.delivery.installation import known
from conversion_relay.delivery.sign_of_life import alive, known_here
from conversion_relay.event_id import without_email
from conversion_relay.meta.quality import NAMES, quality
from conversion_relay.meta.remedies import remedy
from conversion_relay.outbox import Counts, DeadGroup, DeadLetters, Meter, Operator, Overview, Search, Story
from conversion_relay.outbox.audit import Audit
from conversion_relay.outbox.story import Details
from conversion_relay.relay import Relay
from conversion_relay.telemetry import Counters, without_digests

KEYS = ("em", "ph", "fbc", "fbp", "external_id", "client_ip_address", "client_user_agent", "fn", "ln", "zp", "country")
TIMES = (("", "ever"), ("3600", "an hour"), ("86400", "24 hours"), ("604800", "7 days"))
SHOWN_LETTERS, SHOWN_GROUPS, SHOWN_CHANGES = 25, 20, 100


class Look:
    """Of one relay. Over 150 lines: a method for each page, a few lines each."""

    def __init__(self, relay: Relay, paces: Any, counters: Callable[[], Counters]) -> None:
        self._relay, self._paces, self._counters = relay, paces, counters
        self._memory, self._scores = Memory(), Scores(lambda: relay.settings)

    def common(self, now: float) -> dict[str, Any]:
        """For every page."""
        found = self._known(now)
        return {
            "now": now,
            "known": found,
            "needs": self._lines(found, now),
            "is_delivered": is_delivered(found),
            "datasets": len(found.books),
            "span": words.span,
            "exact": words.exact,
            "worth": words.worth,
            "bars": bars,
            "ago": lambda at: words.ago(at, now),
            "state_of": lambda story: words.state_of(story, is_delivered=is_delivered(found)),
            "why": why,
            "life_of": life_of,
            "left": lambda story: words.span(story.expires_at - now) if story.expires_at > now else "too old",
            "remedy_of": remedy_of,
        }

    def _lines(self, found: Known, now: float) -> list[Line]:
        outbox = self._relay.outbox
        today = self._memory.today(outbox, now) if isinstance(outbox, Overview) else []
        held = len(outbox.held(MOST_HELD)) if isinstance(outbox, Operator) else 0
        return lines(found, today=today, held=held, datasets=self._relay.settings.datasets)

    def _known(self, now: float) -> Known:
        """What workers said, and what a worker in this very process knows now."""
        found = known(self._relay.outbox, self._relay.settings, now)
        paces: Mapping[str, PaceNow] = self._paces()
        if not paces or not found.signs:
            return found
        return msgspec.structs.replace(found, signs=known_here(found.signs, paces, now))

    def overview(self, now: float, dataset: str = "") -> dict[str, Any]:
        common = self.common(now)
        of_all: dict[str, Counts] = dict(common["known"].books)
        books = {name: book for name, book in of_all.items() if dataset in ("", name)}
        table = self._rows(now, dataset)
        counted = self._counters().read()
        names = ("accepted", "pending", "leased", "dead")
        book = Counts(**{name: sum(getattr(one, name) for one in books.values()) for name in names})
        return common | {
            "rows": table,
            "verdict": words.verdict(
                table,
                book,
                is_delivered=common["is_delivered"],
                stopped=stopped(common["known"], books),
            ),
            "fresh": self._fresh(now),
            "notices": notices(counted),
            "refused_at_the_door": refused_at_the_door(counted),
            "books": _books(books),
            "names": sorted(of_all),
            "dataset": dataset,
            "balanced": all(book.imbalance == 0 for book in books.values()),
            "states": [(state, word) for state, word in words.STATES.items() if state != "held"],
            "events_of": lambda row: "/dashboard/events?" + urlencode({"name": row.event_name, "dataset": row.dataset}),
        }

    def _rows(self, now: float, dataset: str = "", *, with_keys: bool = False) -> list[Row]:
        outbox = self._relay.outbox
        if not isinstance(outbox, Overview):
            return []
        sides = outbox.deduplication() if isinstance(outbox, Meter) else {}
        return self._memory.rows(outbox, sides, now, dataset, with_keys=with_keys)

    def _fresh(self, now: float) -> list[str] | None:
        outbox = self._relay.outbox
        today = self._memory.today(outbox, now) if isinstance(outbox, Overview) else []
        delays = [(most, n) for hour in today for most, n in hour.delays.items()]
        total = sum(n for _, n in delays)
        return (
            [f"{sum(n for m, n in delays if m <= most) / total:.0%}" for most in (3_600, 7_200, 86_400)]
            if total
            else None
        )

    def keys(self, now: float, dataset: str = "") -> dict[str, Any]:
        """Meta's own figure is of one dataset, so it is shown where one is chosen or there is only one."""
        common, table = self.common(now), self._rows(now, dataset, with_keys=True)
        judged = [(row, found) for row in table if (found := quality(row.sampled, row.keys)) is not None]
        all_names = sorted({*common["known"].books, *common["known"].configured} - {"0"})
        one = dataset or (all_names[0] if len(all_names) == 1 else "")
        scores = self._scores.known(now)
        more = {"dataset": dataset, "all_datasets": all_names, "is_one": bool(one), "was_asked": one in scores}
        return common | more | {"rows": judged, "keys": KEYS, "names": NAMES, "metas": scores.get(one)}

    def events(self, now: float, asked: Search, since: str) -> dict[str, Any]:
        outbox = self._relay.outbox
        stories, rest = [], None
        if isinstance(outbox, Overview):
            found = outbox.search(asked)
            if not found.stories and (kept := without_email(asked.text)) != asked.text:  # as an id is kept
                found = outbox.search(msgspec.structs.replace(asked, text=kept))
            stories, rest = found.stories, found.rest
        elif isinstance(outbox, DeadLetters):
            stories = outbox.dead(asked.limit)
        query = {"q": asked.text, "name": asked.event_name, "state": asked.state or "", "reason": asked.reason}
        query |= {"dataset": asked.dataset, "since": since, "before": str(rest or "")}
        further = "/dashboard/events?" + urlencode({name: value for name, value in query.items() if value})
        return self.common(now) | {
            "asked": asked,
            "since": since,
            "stories": stories,
            "rest": further if rest else None,
            "states": list(words.STATES.items()),
            "times": TIMES,
            "known_names": sorted({row.event_name for row in self._rows(now)}),
        }

    def life(self, now: float, event_id: str, name: str, dataset: str) -> dict[str, Any]:
        outbox = self._relay.outbox
        found = outbox.find(event_id) if isinstance(outbox, Operator) else []
        stories = [s for s in found if name in ("", s.event_name) and dataset in ("", s.dataset)]
        context = self.common(now) | {"stories": stories, "may_change": isinstance(outbox, Overview)}
        if len(stories) == 1:
            (story,) = stories
            context["elsewhere"] = [s for s in found if s.dataset != story.dataset and s.event_name == story.event_name]
            context["copied_to"], context["copied_from"] = copies_of(self._relay.settings, story.dataset)
            details = Details(body=None, pixel_at=None)
            if isinstance(outbox, Overview) and story.key is not None:
                details = outbox.details(story.key)
            is_kept = details.body is not None and story.expires_at > now
            can_replay = is_kept and (story.state == "dead" or words.state_of(story, is_delivered=True)[0] == "held")
            context |= {
                "details": details,
                "body": readable(details.body),
                "remedies": [] if story.state == "erased" else remedies_of(story, context["known"]),
                "can_replay": can_replay,
            }
        return context

    def dead(self, now: float) -> dict[str, Any]:
        outbox = self._relay.outbox
        held = outbox.held(SHOWN_LETTERS) if isinstance(outbox, Operator) else []
        letters = outbox.dead(SHOWN_LETTERS) if isinstance(outbox, DeadLetters) else []
        return self.common(now) | {
            "groups": outbox.dead_groups(now)[:SHOWN_GROUPS] if isinstance(outbox, Overview) else [],
            "held": held,
            "chosen": held + letters,
            "may_change": isinstance(outbox, Overview),
            "events_of_group": _events_of_group,
        }

    def datasets(self, now: float, text: str = "", state: str = "") -> dict[str, Any]:
        """Those whose id or origins hold `text`. `state`: one of `dataset_rows.STATES`, or any."""
        common = self.common(now)
        found: Known = common["known"]
        rows = DatasetRows(self._relay.settings, found, self._counters().read())
        tokens = self._scores.tokens(now)
        names, datasets = sorted({*found.books, *found.configured} - {"0"}), []
        for name in rows.fitting(names, text):
            row, is_refused = rows.row(name), rows.refuses_token(name)
            if state in STATES and row["colour"] != state:
                continue
            datasets.append(
                row | words.of_token(tokens.get(name), now, was_asked=name in tokens, is_refused=is_refused)
            )
        return common | {
            # Of an agency's hundreds, those that do not send come first.
            "datasets_now": sorted(datasets, key=lambda row: row["colour"] == "delivered"),
            "asked": {"q": text, "state": state},
            "states": STATES.items(),
            "in_all": len(names),
            "may_choose": len(names) > MANY or text or state,
            "has_copies": rows.has_copies,
            "workers": alive(found.signs or (), now),
        }

    def changes(self, now: float, audit: Audit) -> dict[str, Any]:
        return self.common(now) | {
            "changes": audit.newest(SHOWN_CHANGES),
            "has_list": self._relay.settings.outbox.startswith("sqlite:"),
            "words_of_changes": words.CHANGES,
        }


def _books(books: Mapping[str, Counts]) -> list[tuple[str, dict[str, int]]]:
    """A line for each of a few; of many the sum, since each has its line on the page of datasets."""
    each = [(name, _book(book)) for name, book in books.items()]
    if len(each) <= 3:
        return each
    return [(f"all {len(each)}", {name: sum(book[name] for _, book in each) for name in each[0][1]})]


def _book(book: Counts) -> dict[str, int]:
    return {
        "accepted": book.accepted,
        **{state: int(getattr(book, state)) for state in words.STATES if state != "held"},
    }


def _events_of_group(group: DeadGroup) -> str:
    query = {"name": group.event_name, "state": "dead", "reason": group.reason, "dataset": group.dataset}
    return "/dashboard/events?" + urlencode(query)


def life_of(story: Story) -> str:
    """The deep link of one event: what it is known by at Meta."""
    return "/dashboard/life?" + urlencode({"id": story.event_id, "name": story.event_name, "dataset": story.dataset})


def why(story: Story) -> str:
    if story.state == "delivered" or not (story.reason or story.history):
        return ""
    said = story.history[-1] if story.history else None
    known = remedy(story.reason)
    return (said and (said.sentence or said.title)) or (known and known.what) or story.reason or ""


_ADDRESS = re.compile(r'("client_ip_address":\s*")[^"]*')
_BROWSER = re.compile(r'("fb[pc]":\s*"fb\.\d\.)[^"]*')


def readable(body: bytes | None) -> str | None:
    """Meta's JSON for a person, without what would name a browser or an address: pages are looked at over shoulders."""
    if body is None:
        return None
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return "(damaged)"
    return without_digests(_BROWSER.sub(r"\1...", _ADDRESS.sub(r"\1...", text)))
