"""Whether Meta would refuse this event, and why.

What could go wrong. Meta refuses a whole batch for one bad event, and answers minutes after the sender has left:
https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api
The sender can mend an event only while its request is still open, so the door must know Meta's rules.

The rule: never kinder than Meta. An event that passes here may still be refused (Meta knows more than its pages say;
`delivery` then finds it by halving the batch), but an event that Meta is known to refuse is never accepted. And not
much stricter: what Meta takes and makes little of is a warning in `advice.py` and refuses nothing.

The shape: `errors` reads Meta's own JSON of one event, after `intake` has hashed it, so it judges the bytes that will
be sent. It returns every reason at once: the door answers with the first, `conversion-relay validate` prints all. The
sentences live in `reasons.py`. Every event passes through here, so a rule that has nothing to say returns at once
and returns one shared empty tuple.

Rejected: a JSON schema (it cannot say "62 days for physical_store" or "these keys alone are too broad"), and sharing
these rules with the emulator: it judges us and must not repeat our mistakes, so it has its own (`emulator/rules.py`).
The two are compared on random events in `tests/intake/test_examine.py`.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import msgspec

from conversion_relay.event import ActionSource
from conversion_relay.event_id import holds_person
from conversion_relay.meta import event_kinds, reasons
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.meta.event_kinds import MARGIN_SECONDS
from conversion_relay.meta.finding import Finding
from conversion_relay.meta.sent_members import (
    CONTENT_NAMES,
    EVENT_NAMES,
    HASHED,
    USER_DATA_NAMES,
    is_click,
    is_hashed,
    is_text,
    says_something,
)

DAY = 86_400
# https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event#event-time
OLDEST_DAYS = {"physical_store": 62}
"""Days back that Meta takes an event from; 7 where the action source is not listed."""
CLOCK_SKEW = 300
"""Seconds that a sender's clock may run ahead; the door replaces such a time by its own."""

# An event whose keys all lie within one of these is refused: "so broad that it is unlikely to be effective".
# https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices
TOO_BROAD = (
    frozenset({"ct", "country", "st", "zp", "ge", "client_user_agent"}),
    frozenset({"db", "client_user_agent"}),
    frozenset({"fn", "ge"}),
    frozenset({"ln", "ge"}),
)
_IN_A_BROAD_SET = frozenset().union(*TOO_BROAD)
_AMOUNTS = ("value", "predicted_ltv", "net_revenue")
_NOTHING: tuple[Finding, ...] = ()
WITHOUT_RULES = frozenset(get_args(ActionSource)) - {"app", "business_messaging", *OLDEST_DAYS}


def errors(event: Mapping[str, Any], now: float) -> list[Finding]:
    """Every reason not to send this event. `event` is Meta's JSON of it, hashed; `now` in Unix seconds.

    >>> [(f.code, f.path) for f in errors({"event_name": "Contact", "event_time": 1700000000,
    ...     "action_source": "website", "user_data": {"client_user_agent": "Mozilla/5.0"}}, 1700000000)]
    [('too_broad', 'user_data')]
    """
    if _is_plainly_right(event, now):
        return []
    found: list[Finding] = []
    found += _names(event)
    found += _event_time(event, now)
    if are_too_broad(event["user_data"]):
        found.append(reasons.TOO_BROAD)
    custom_data = event.get("custom_data")
    if custom_data:
        found += money(custom_data)
        found += contents(custom_data)
    if event["event_name"] == "Purchase":
        found += _purchase(custom_data or {})
    elif event["event_name"] in event_kinds.LATER_EVENTS:
        found += event_kinds.later(event, now)
    if event["action_source"] == "app":
        found += event_kinds.app(event.get("app_data"))
    elif event["action_source"] == "business_messaging":
        found += [*event_kinds.channel(event), *event_kinds.messaging(event)]
    elif "messaging_channel" in event:
        found += event_kinds.channel(event)
    if not event_kinds.DATA_PROCESSING.isdisjoint(event):
        found += event_kinds.data_processing(event)
    return found


def _is_plainly_right(event: Mapping[str, Any], now: float) -> bool:
    """Whether no rule of `errors` has anything to say, for the kinds that most events are of. It allocates nothing."""
    name, event_id, custom = event["event_name"], event.get("event_id", "-"), event.get("custom_data")
    if not (
        event_kinds.is_plain_name(name)
        and event_id.isprintable()
        and bool(event_id.strip())
        and event["action_source"] in WITHOUT_RULES
        and now - 7 * DAY + MARGIN_SECONDS < event["event_time"] <= now + CLOCK_SKEW
        and not _IN_A_BROAD_SET.issuperset(event["user_data"])
        and "messaging_channel" not in event
        and event_kinds.DATA_PROCESSING.isdisjoint(event)
    ):
        return False
    if not custom:
        return bool(name != "Purchase")
    value, currency = custom.get("value"), custom.get("currency")
    is_amount = type(value) in (float, int) and 0 <= value < 1e300 and type(currency) is str
    if not (currency in CURRENCY_EXPONENTS if is_amount else value is currency is None and name != "Purchase"):
        return False
    return not ("predicted_ltv" in custom or "net_revenue" in custom or contents(custom))


def door_mistakes(event: Mapping[str, Any]) -> list[Finding]:
    """What Meta refuses and no sealed event has, since the door reads names into types and hashes every match key.

    Not part of `errors`, where it would cost a tenth of the door's time (5 of 50 microseconds) to look for what cannot
    be there. It is asked where an event came another way: of an older version, or of a batch that Meta refused for it.

    >>> [f.path for f in door_mistakes({"event_name": "Lead", "colour": 1, "user_data": {"em": "joe@example.com"}})]
    ['colour', 'user_data.em']
    """
    user_data = event["user_data"]
    found = [reasons.unknown_name("", name) for name in event if name not in EVENT_NAMES]
    found += [reasons.unknown_name("user_data", name) for name in user_data if name not in USER_DATA_NAMES]
    found += [reasons.not_hashed(key) for key in user_data if key in HASHED and not is_hashed(user_data[key])]
    if not is_click(user_data.get("fbc")):
        found.append(reasons.BAD_CLICK_ID)
    found += [reasons.not_text(key) for key in user_data if not is_text(key, user_data[key])]
    saying = {key: 1 for key, value in user_data.items() if says_something(value)}
    if len(saying) < len(user_data) and are_too_broad(saying):
        found.append(reasons.TOO_BROAD)
    return found


def as_it_stands(document: Mapping[str, Any]) -> Iterator[Finding]:
    """What Meta would refuse in a document that nobody has mended, and the door mends or leaves out.

    Its members may be any JSON. Not that a match key is in clear: to hash it is what the relay is for.
    """
    custom_data = document.get("custom_data")
    if isinstance(custom_data, dict):
        currency = custom_data.get("currency")
        # Meta takes a currency in either case.
        yield from money(custom_data | {"currency": currency.upper() if isinstance(currency, str) else currency})
        yield from contents(custom_data)
    if not event_kinds.DATA_PROCESSING.isdisjoint(document):
        yield from event_kinds.data_processing(document)
    if "messaging_channel" in document:
        yield from event_kinds.channel({"action_source": "website", **document})
    user_data = document.get("user_data")
    if isinstance(user_data, dict) and not is_click(user_data.get("fbc")):
        yield reasons.BAD_CLICK_ID


def is_suspect(body: bytes, subcode: int | None, now: float) -> bool:
    """Whether our own rules would refuse this sealed event for the reason (subcode) that Meta gave for its batch.

    Such an event is sent apart, not given up: our clock and our rules may differ from Meta's.
    """
    if subcode is None:
        return False
    event = msgspec.json.decode(body)
    return any(finding.subcode == subcode for finding in [*errors(event, now), *door_mistakes(event)])


def expiry(event_time: int, action_source: str) -> int:
    """Unix seconds after which this event is not sent any more: an hour before Meta would refuse it.

    "event_time can be up to 7 days before you send an event to Meta", 62 for `physical_store`:
    https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event#event-time
    """
    return event_time + OLDEST_DAYS.get(action_source, 7) * DAY - MARGIN_SECONDS


def _names(event: Mapping[str, Any]) -> Sequence[Finding]:
    name, event_id = event["event_name"], event.get("event_id", "")
    found = [reasons.NAME_TOO_LONG] if len(name) > event_kinds.LONGEST_NAME else []
    found += [reasons.not_printable(key) for key in ("event_name", "event_id") if not event.get(key, "").isprintable()]
    found += [reasons.NAME_HOLDS_A_PERSON] if holds_person(name) else []
    is_blank = not name.strip() or (event_id and not event_id.strip())
    return found or ([reasons.blank(name)] if is_blank else [])


def _event_time(event: Mapping[str, Any], now: float) -> Sequence[Finding]:
    event_time = event["event_time"]
    if expiry(event_time, event["action_source"]) <= now:
        return [reasons.too_old(OLDEST_DAYS.get(event["action_source"], 7))]
    return [reasons.IN_THE_FUTURE] if event_time > now + CLOCK_SKEW else _NOTHING


# https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices
def are_too_broad(user_data: Mapping[str, Any]) -> bool:
    """Whether these match keys alone could be anybody's."""
    return _IN_A_BROAD_SET.issuperset(user_data) and any(user_data.keys() <= broad for broad in TOO_BROAD)


# https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/custom-data
def money(custom_data: Mapping[str, Any]) -> Sequence[Finding]:
    """What is wrong with the amounts and the currency that are given; whether they must be given is `_purchase`."""
    found = []
    for key in _AMOUNTS:
        amount = custom_data.get(key)
        if amount is not None and not _is_amount(amount, key):
            found.append(reasons.not_an_amount(key))
    currency = custom_data.get("currency")
    if currency is not None and currency != "" and not (isinstance(currency, str) and currency in CURRENCY_EXPONENTS):
        found.append(reasons.NOT_A_CURRENCY)
    return found


# https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/custom-data#contents
def contents(custom_data: Mapping[str, Any]) -> Sequence[Finding]:
    """What is wrong with the list of things: Meta knows the names in it, and refuses a request for any other.

    https://community.stape.io/t/http-status-code-400-invalid-parameter-unexpected-key-index/1753
    """
    items = custom_data.get("contents")
    if items is None:
        return _NOTHING
    if not isinstance(items, list):
        return [reasons.WRONG_CONTENTS]
    unknown: dict[str, None] = {}
    for item in items:
        if type(item) is dict and item.get("id") and CONTENT_NAMES.issuperset(item):
            continue
        if not isinstance(item, dict) or item.get("id") in (None, ""):
            return [reasons.WRONG_CONTENTS]
        if not item.keys() <= CONTENT_NAMES:
            unknown |= dict.fromkeys(name for name in item if name not in CONTENT_NAMES)
    return [reasons.unknown_name("custom_data.contents", name) for name in unknown] if unknown else _NOTHING


# "Required for purchase events": https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/custom-data
def _purchase(custom_data: Mapping[str, Any]) -> Sequence[Finding]:
    return [missing for key, missing in reasons.PURCHASE_NEEDS.items() if custom_data.get(key) in (None, "")]


def is_number(amount: object) -> bool:
    """Whether this is an amount: a number, or text of one as JSON writes it, as on Meta's own page ("142.52").

    True and False are integers to Python; as an amount they are a mistake. So are digits in groups ("1_000", "1,000")
    and spaces, which Python's `float` would read.
    """
    if type(amount) is float:
        return math.isfinite(amount)
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        return False
    if isinstance(amount, str) and not (len(amount) < _LONGEST_NUMBER and _NUMBER.fullmatch(amount)):
        return False
    try:
        return math.isfinite(float(amount))
    except (ValueError, OverflowError):
        return False


def _is_amount(amount: object, key: str) -> bool:
    if not is_number(amount):
        return False
    number = float(amount)  # type: ignore[arg-type]
    return number > 0 if key == "predicted_ltv" else number >= 0 or key == "net_revenue"


_LONGEST_NUMBER = 400
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
