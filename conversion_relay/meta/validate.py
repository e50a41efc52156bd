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
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conversion_relay.event_id import holds_email
from conversion_relay.meta import reasons
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.meta.finding import Finding

DAY = 86_400
# https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event#event-time
OLDEST_DAYS = {"physical_store": 62}
"""Days back that Meta takes an event from; 7 where the action source is not listed."""
MARGIN_SECONDS = 3_600
"""We stop this long before Meta's limit: between our look at the clock and Meta's lie queue, network and skew."""
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
# https://developers.facebook.com/docs/marketing-api/data-processing-options
STATE_CODES = range(1000, 1014)
_AMOUNTS = ("value", "predicted_ltv", "net_revenue")
_NOTHING: tuple[Finding, ...] = ()


def errors(event: Mapping[str, Any], now: float) -> list[Finding]:
    """Every reason not to send this event. `event` is Meta's JSON of it, hashed; `now` in Unix seconds.

    >>> [(f.code, f.path) for f in errors({"event_name": "Contact", "event_time": 1700000000,
    ...     "action_source": "website", "user_data": {"client_user_agent": "Mozilla/5.0"}}, 1700000000)]
    [('too_broad', 'user_data')]
    """
    found: list[Finding] = []
    found += _names(event)
    found += _event_time(event, now)
    found += _customer_information(event["user_data"])
    custom_data = event.get("custom_data")
    if custom_data:
        found += money(custom_data)
        found += _contents(custom_data)
    if event["event_name"] == "Purchase":
        found += _purchase(custom_data or {})
    if event["action_source"] == "app":
        found += _app(event.get("app_data"))
    elif event["action_source"] == "business_messaging":
        found += _messaging(event)
    if not _DATA_PROCESSING.isdisjoint(event):
        found += _data_processing(event)
    return found


def is_suspect(body: bytes, subcode: int | None, now: float) -> bool:
    """Whether our own rules would refuse this sealed event for the reason (subcode) that Meta gave for its batch.

    Such an event is sent apart, not given up: our clock and our rules may differ from Meta's.
    """
    return subcode is not None and any(finding.subcode == subcode for finding in errors(msgspec.json.decode(body), now))


def expiry(event_time: int, action_source: str) -> int:
    """Unix seconds after which this event is not sent any more: an hour before Meta would refuse it.

    "event_time can be up to 7 days before you send an event to Meta", 62 for `physical_store`:
    https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event#event-time
    """
    return event_time + OLDEST_DAYS.get(action_source, 7) * DAY - MARGIN_SECONDS


# "Custom event names ... 50 characters": https://developers.facebook.com/docs/meta-pixel/reference
def _names(event: Mapping[str, Any]) -> Sequence[Finding]:
    name, event_id = event["event_name"], event.get("event_id", "")
    if len(name) <= 50 and name.isprintable() and event_id.isprintable() and "@" not in name:
        return [] if name.strip() and (event_id.strip() or not event_id) else [reasons.blank(name)]
    found = [reasons.NAME_TOO_LONG] if len(name) > 50 else []
    found += [reasons.not_printable(key) for key in ("event_name", "event_id") if not event.get(key, "").isprintable()]
    return [*found, reasons.NAME_HOLDS_A_PERSON] if holds_email(name) else found


def _event_time(event: Mapping[str, Any], now: float) -> Sequence[Finding]:
    event_time = event["event_time"]
    if expiry(event_time, event["action_source"]) <= now:
        return [reasons.too_old(OLDEST_DAYS.get(event["action_source"], 7))]
    return [reasons.IN_THE_FUTURE] if event_time > now + CLOCK_SKEW else _NOTHING


# https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices
def _customer_information(user_data: Mapping[str, Any]) -> Sequence[Finding]:
    keys = user_data.keys()
    if not keys <= _IN_A_BROAD_SET:
        return _NOTHING
    return [reasons.TOO_BROAD] if any(keys <= broad for broad in TOO_BROAD) else _NOTHING


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
def _contents(custom_data: Mapping[str, Any]) -> Sequence[Finding]:
    contents = custom_data.get("contents")
    if contents is None:
        return _NOTHING
    if not isinstance(contents, list):
        return [reasons.WRONG_CONTENTS]
    for item in contents:
        if not isinstance(item, dict) or "id" not in item:
            return [reasons.WRONG_CONTENTS]
    return _NOTHING


# "Required for purchase events": https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/custom-data
def _purchase(custom_data: Mapping[str, Any]) -> Sequence[Finding]:
    return [missing for key, missing in reasons.PURCHASE_NEEDS.items() if custom_data.get(key) in (None, "")]


# https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/app-data
def _app(app_data: Mapping[str, Any] | None) -> Sequence[Finding]:
    if app_data is None:
        return [reasons.NO_APP_DATA]
    extinfo = app_data.get("extinfo")
    # "int or string" on the page of app data
    if not isinstance(extinfo, list) or len(extinfo) != 16 or not all(type(part) in (str, int) for part in extinfo):
        return [reasons.BAD_EXTINFO]
    return _NOTHING if extinfo[0] in ("a2", "i2") and extinfo[4] else [reasons.BAD_EXTINFO]


# https://developers.facebook.com/docs/marketing-api/conversions-api/business-messaging
def _messaging(event: Mapping[str, Any]) -> Sequence[Finding]:
    found = [] if event.get("messaging_channel") else [reasons.NO_CHANNEL]
    return found if event["event_name"] in reasons.MESSAGING_EVENT_NAMES else [*found, reasons.NOT_FOR_MESSAGING]


# https://developers.facebook.com/docs/marketing-api/data-processing-options
def _data_processing(event: Mapping[str, Any]) -> Sequence[Finding]:
    """An option that Meta does not know would be ignored, and the visitor's wish with it; so it is refused."""
    found = []
    if any(option != "LDU" for option in event.get("data_processing_options") or ()):
        found.append(reasons.UNKNOWN_OPTION)
    country, state = event.get("data_processing_options_country"), event.get("data_processing_options_state")
    if country not in (None, 0, 1):
        found.append(reasons.UNKNOWN_COUNTRY_CODE)
    if state not in (None, 0) and (state not in STATE_CODES or country != 1):
        found.append(reasons.UNKNOWN_STATE_CODE)
    return found


def is_number(amount: object) -> bool:
    """Whether this can be read as an amount: a number, or text of one, as Meta's own page shows it ("142.52").

    True and False are integers to Python; as an amount they are a mistake.
    """
    if type(amount) is float:
        return math.isfinite(amount)
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        return False
    try:
        return math.isfinite(float(amount)) and (not isinstance(amount, str) or amount.isascii())
    except (ValueError, OverflowError):
        return False


def _is_amount(amount: object, key: str) -> bool:
    return is_number(amount) and (key != "value" or float(amount) >= 0)  # type: ignore[arg-type]


_DATA_PROCESSING = frozenset(
    {"data_processing_options", "data_processing_options_country", "data_processing_options_state"}
)
