"""What pages say in words: the one sentence of the overview, states, ages, amounts. Pure."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from conversion_relay.dashboard.figures import Row
from conversion_relay.delivery.attention import counted_waiting
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.meta.quality import TokenFacts
from conversion_relay.outbox import Counts, Story
from conversion_relay.outbox.verdict import HELD

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def verdict(rows: Sequence[Row], book: Counts, *, is_delivered: bool | None, stopped: str | None = None) -> str:
    """What a person reads first. `stopped`: what waits, and why nothing is sent now; then nothing is said to arrive.
    Refused events are told while they are kept: what was sent again since, or erased, is no news.

    >>> sales = Row(dataset="1", event_name="Purchase", today=41, worth={"EUR": 6120.4}, p50=3)
    >>> verdict([sales], Counts(), is_delivered=True)
    'Purchase arrives. 41 in 24 hours, 6,120.40 EUR, half of them within 3 s.'
    >>> verdict([], Counts(pending=3), is_delivered=False)
    'Nobody delivers. 3 events wait, and nothing is lost yet.'
    >>> verdict([], Counts(pending=1), is_delivered=False)
    'Nobody delivers. 1 event waits, and nothing is lost yet.'
    >>> verdict([Row(dataset="1", event_name="Purchase", dead=2)], Counts(dead=2), is_delivered=True)
    'Nothing was delivered in 24 hours. 2 events were refused.'
    """
    waiting = book.pending + book.leased
    if is_delivered is False and waiting:
        return f"Nobody delivers. {counted_waiting(waiting)}, and nothing is lost yet."
    told = [f"{stopped}."] if stopped else []
    main = next((row for row in rows if row.today), None)
    if main is None:
        is_first = not (book.accepted or any(row.week or row.dead or row.expired for row in rows))
        if is_first:
            return "No event yet."
        waits = f"; {counted_waiting(waiting)}" if waiting and not stopped else ""
        told.append(f"Nothing was delivered in 24 hours{waits}.")
    else:
        sales = next((row for row in rows if row.event_name == "Purchase"), main)
        if sales is not main and sales.week:
            told.append(f"No Purchase was delivered in 24 hours, {sales.week:,} in 7 days.")
        elif sales is not main and (sales.dead or sales.expired):
            told.append("No Purchase was delivered in 24 hours.")
        told.append(f"{main.event_name}{':' if stopped else ' arrives.'} {_sums(main)}.")
        seen = main.sides.both + main.sides.server_only
        if main.sides.both:
            told.append(f"Of all so far, {main.sides.both / seen:.0%} were also seen by the pixel.")
    refused, old = min(book.dead, sum(row.dead for row in rows)), sum(row.expired for row in rows)
    told += [f"{counted(refused)} {'was' if refused == 1 else 'were'} refused."] if refused else []
    told += [f"{counted(old)} grew too old."] if old else []
    return " ".join(told)


def _sums(row: Row) -> str:
    told = [f"{row.today:,} in 24 hours", *(money(n, currency) for currency, n in sorted(row.worth.items()))]
    if row.p50 is not None:
        told.append(f"half of them within {span(row.p50)}")
    return ", ".join(told)


def sentence(text: str) -> Markup:
    """With a capital and a full stop; what stands in backticks is code.

    >>> sentence("start `deliver`")
    Markup('Start <code>deliver</code>.')
    """
    parts = [escape(part) for part in (text[:1].upper() + text[1:]).split("`")]
    inner = "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
    return Markup(inner if inner.endswith((".", "?", "!")) else f"{inner}.")  # noqa: S704 - every part is escaped


def counted(n: int) -> str:
    return f"{n:,} event" if n == 1 else f"{n:,} events"


def some(n: int, what: str) -> str:
    """
    >>> some(0, "API key"), some(1, "API key"), some(2, "API key")
    ('none', '1 API key', '2 API keys')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}" if n else "none"


def span(seconds: float) -> str:
    """
    >>> span(3), span(300), span(7200)
    ('3 s', '5 min', '2 h')
    """
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def of_token(facts: TokenFacts | None, now: float, *, was_asked: bool, is_refused: bool = False) -> dict[str, Any]:
    """The token's state, and its colour where a person must act: within two weeks of its end. `is_refused`: workers
    hear so from Meta now; `facts` may be hours old.

    >>> of_token(TokenFacts(True, 8_640_000), 0.0, was_asked=True)["token"]
    'valid until 1970-04-11, in 100 d'
    >>> of_token(None, 0.0, was_asked=True)["token"], of_token(TokenFacts(False, None), 0.0, was_asked=True)["token"]
    ('Meta does not tell', 'not valid: set a new one')
    """
    if is_refused:
        return {"token": "not valid: set a new one", "token_colour": "bad"}
    if facts is None:
        return {"token": "Meta does not tell" if was_asked else "not asked yet", "token_colour": ""}
    if not facts.is_valid or (facts.expires_at is not None and facts.expires_at <= now):
        return {"token": "not valid: set a new one", "token_colour": "bad"}
    if facts.expires_at is None:
        return {"token": "valid, does not end", "token_colour": ""}
    left = facts.expires_at - now
    day = time.strftime("%Y-%m-%d", time.gmtime(facts.expires_at))
    return {"token": f"valid until {day}, in {span(left)}", "token_colour": "bad" if left < 14 * 86_400 else ""}


def ago(at: float, now: float) -> str:
    """
    >>> ago(100, 160), ago(160, 100), ago(100, 100)
    ('1 min ago', 'in 1 min', 'now')
    """
    if abs(now - at) < 1:
        return "now"
    return f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"


def exact(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def money(amount: float, currency: str) -> str:
    """With as many digits as the currency has.

    >>> money(6120.4, "EUR"), money(12_000, "JPY")
    ('6,120.40 EUR', '12,000 JPY')
    """
    return f"{amount:,.{CURRENCY_EXPONENTS.get(currency, 2)}f} {currency}"


def worth(sums: Mapping[str, float]) -> str:
    return " + ".join(money(n, currency) for currency, n in sorted(sums.items()))


def state_of(story: Story, *, is_delivered: bool | None) -> tuple[str, str]:
    """(a word for the colour, what a person reads)."""
    match story.state:
        case "pending" if story.reason == HELD:
            return "held", "held for you"
        case "pending" if is_delivered is False:
            return "pending", "waits; nobody delivers"
        case "pending":
            return "pending", "waits" if story.history else "waits for its first try"
        case "leased":
            return "leased", "being sent" if is_delivered is not False else "was being sent when the worker went"
        case "delivered":
            return "delivered", "arrived"
        case "dead":
            return "dead", "refused"
        case "expired":
            return "expired", "too old"
        case _:
            return "erased", "erased"


STATES = {
    "pending": "waits",
    "held": "held for you",
    "leased": "being sent",
    "delivered": "arrived",
    "dead": "refused",
    "expired": "too old",
    "erased": "erased",
}

CHANGES = {
    "replay": "sent again",
    "erase": "erased",
    "sign-in": "somebody signed in",
    "settings": "settings read again",
}
