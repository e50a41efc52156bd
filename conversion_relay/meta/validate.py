"""Every reason Meta has to refuse an event, as findings; what it takes and makes little of is in `advice.py`.

They read Meta's own JSON of one event (after `intake` has hashed it), so they judge the very bytes that will be sent.
Sources beside each rule; subcodes as recorded from Meta's answers. Every event passes through here, so a rule that has
nothing to say returns at once.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conversion_relay.event_id import holds_email
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.meta.finding import PAGES, Finding

DAY = 86_400
OLDEST_DAYS = {"physical_store": 62}
"""Days back that Meta takes an event from; 7 where the action source is not listed."""
MARGIN_SECONDS = 3_600
"""We stop this long before Meta's limit: the event must still be young when Meta reads its clock."""
CLOCK_SKEW = 300
"""Seconds that a sender's clock may run ahead; the door takes such a time for now."""

# An event whose keys all lie within one of these is refused: "so broad that it is unlikely to be effective".
# https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices
TOO_BROAD = (
    frozenset({"ct", "country", "st", "zp", "ge", "client_user_agent"}),
    frozenset({"db", "client_user_agent"}),
    frozenset({"fn", "ge"}),
    frozenset({"ln", "ge"}),
)
_IN_A_BROAD_SET = frozenset().union(*TOO_BROAD)
MESSAGING_EVENT_NAMES = frozenset({"Purchase", "LeadSubmitted", "AddToCart", "InitiateCheckout", "ViewContent"})
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
    """Whether this sealed event could be the one that Meta refused a batch for. Meta's clock is not ours, and what it
    took yesterday it may refuse today, so a suspicion is a reason to send it apart, not to give it up."""
    return subcode is not None and any(finding.subcode == subcode for finding in errors(msgspec.json.decode(body), now))


def expiry(event_time: int, action_source: str) -> int:
    """Unix seconds after which this event is not sent any more.

    "event_time can be up to 7 days before you send an event to Meta", 62 for `physical_store`.
    """
    return event_time + OLDEST_DAYS.get(action_source, 7) * DAY - MARGIN_SECONDS


def _names(event: Mapping[str, Any]) -> Sequence[Finding]:
    name, event_id = event["event_name"], event.get("event_id", "")
    if len(name) <= 50 and name.isprintable() and event_id.isprintable() and "@" not in name:
        return [] if name.strip() and (event_id.strip() or not event_id) else [_blank(name)]
    found = [_NAME_TOO_LONG] if len(name) > 50 else []
    found += [_not_printable(key) for key in ("event_name", "event_id") if not event.get(key, "").isprintable()]
    return [*found, _NAME_HOLDS_A_PERSON] if holds_email(name) else found


def _event_time(event: Mapping[str, Any], now: float) -> Sequence[Finding]:
    event_time = event["event_time"]
    if expiry(event_time, event["action_source"]) <= now:
        return [_too_old(OLDEST_DAYS.get(event["action_source"], 7))]
    return [_IN_THE_FUTURE] if event_time > now + CLOCK_SKEW else _NOTHING


def _customer_information(user_data: Mapping[str, Any]) -> Sequence[Finding]:
    keys = user_data.keys()
    if not keys <= _IN_A_BROAD_SET:
        return _NOTHING
    return [_TOO_BROAD] if any(keys <= broad for broad in TOO_BROAD) else _NOTHING


def money(custom_data: Mapping[str, Any]) -> Sequence[Finding]:
    """Amounts and currency, as far as they are given."""
    found = []
    for key in _AMOUNTS:
        amount = custom_data.get(key)
        if amount is not None and not _is_amount(amount, key):
            found.append(_not_an_amount(key))
    currency = custom_data.get("currency")
    if currency is not None and currency != "" and not (isinstance(currency, str) and currency in CURRENCY_EXPONENTS):
        found.append(_NOT_A_CURRENCY)
    return found


def _contents(custom_data: Mapping[str, Any]) -> Sequence[Finding]:
    contents = custom_data.get("contents")
    if contents is None:
        return _NOTHING
    if not isinstance(contents, list):
        return [_WRONG_CONTENTS]
    for item in contents:
        if not isinstance(item, dict) or "id" not in item:
            return [_WRONG_CONTENTS]
    return _NOTHING


def _purchase(custom_data: Mapping[str, Any]) -> Sequence[Finding]:
    return [missing for key, missing in _PURCHASE_NEEDS.items() if custom_data.get(key) in (None, "")]


def _app(app_data: Mapping[str, Any] | None) -> Sequence[Finding]:
    if app_data is None:
        return [_NO_APP_DATA]
    extinfo = app_data.get("extinfo")
    if not isinstance(extinfo, list) or len(extinfo) != 16 or not all(isinstance(part, str) for part in extinfo):
        return [_BAD_EXTINFO]
    return _NOTHING if extinfo[0] in ("a2", "i2") and extinfo[4] else [_BAD_EXTINFO]


def _messaging(event: Mapping[str, Any]) -> Sequence[Finding]:
    found = [] if event.get("messaging_channel") else [_NO_CHANNEL]
    return found if event["event_name"] in MESSAGING_EVENT_NAMES else [*found, _NOT_FOR_MESSAGING]


def _data_processing(event: Mapping[str, Any]) -> Sequence[Finding]:
    """A privacy wish that Meta would not understand must not be sent as if it had been one."""
    found = []
    if any(option != "LDU" for option in event.get("data_processing_options") or ()):
        found.append(_UNKNOWN_OPTION)
    country, state = event.get("data_processing_options_country"), event.get("data_processing_options_state")
    if country not in (None, 0, 1):
        found.append(_UNKNOWN_COUNTRY_CODE)
    if state not in (None, 0) and (state not in STATE_CODES or country != 1):
        found.append(_UNKNOWN_STATE_CODE)
    return found


def is_number(amount: object) -> bool:
    """Meta's own page shows a numeric string ("142.52"); True is an int to Python and no amount to anybody."""
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


def _error(code: str, path: str, message: str, fix: str, link: str, subcode: int | None = None) -> Finding:
    return Finding(code, path, "error", message, fix, link, subcode)


_SERVER_EVENT = f"{PAGES}/parameters/server-event"
_CUSTOM_DATA = f"{PAGES}/parameters/custom-data"
_PIXEL = "https://developers.facebook.com/docs/meta-pixel/reference"
_OPTIONS = "https://developers.facebook.com/docs/marketing-api/data-processing-options"
_MESSAGING = f"{PAGES}/business-messaging"
_DATA_PROCESSING = frozenset(
    {"data_processing_options", "data_processing_options_country", "data_processing_options_state"}
)

_NAME_TOO_LONG = _error(
    "event_name_too_long",
    "event_name",
    "a custom event name has at most 50 characters",
    "use a standard event or a shorter name",
    _PIXEL,
)
_NAME_HOLDS_A_PERSON = _error(
    "personal_data",
    "event_name",
    "an event's name must not hold an e-mail address",
    "send the address as user_data.email",
    _SERVER_EVENT,
)
_IN_THE_FUTURE = _error(
    "event_time_in_the_future",
    "event_time",
    "the event lies in the future",
    "send Unix seconds in UTC from a clock that is right, or leave event_time out",
    f"{_SERVER_EVENT}#event-time",
)
_TOO_BROAD = _error(
    "too_broad",
    "user_data",
    "no usable match key: a user agent alone, or place and gender alone, match nobody",
    "add one of em, ph, external_id, fbp, fbc, client_ip_address, or a full name",
    f"{PAGES}/best-practices",
    2804050,
)
_NOT_A_CURRENCY = _error(
    "not_a_currency",
    "custom_data.currency",
    "the currency is no ISO 4217 code",
    "send three letters such as USD, EUR, JPY",
    _CUSTOM_DATA,
)
_WRONG_CONTENTS = _error(
    "wrong_type",
    "custom_data.contents",
    "contents is a list of objects, each with an id and a quantity",
    'send [{"id": "SKU-1", "quantity": 1}]',
    f"{_CUSTOM_DATA}#contents",
)
_PURCHASE_NEEDS = {
    key: _error(
        "missing_field",
        f"custom_data.{key}",
        f"a Purchase must carry its {key}",
        f"send custom_data.{key}, for example {example}",
        _CUSTOM_DATA,
        subcode,
    )
    for key, subcode, example in (("value", 2804009, "299.99"), ("currency", 2804010, "EUR"))
}
_NO_APP_DATA = _error(
    "missing_field",
    "app_data",
    "app events must carry app_data",
    "send app_data with extinfo, application_tracking_enabled and advertiser_tracking_enabled",
    f"{PAGES}/parameters/app-data",
    2804019,
)
_BAD_EXTINFO = _error(
    "bad_extinfo",
    "app_data.extinfo",
    "extinfo is a list of 16 texts: the first a2 (Android) or i2 (iOS), the fifth the OS version",
    'send "" for each part that is not known',
    f"{PAGES}/parameters/app-data",
    2804043,
)
_NO_CHANNEL = _error(
    "missing_field",
    "messaging_channel",
    "business messaging events must say which channel",
    "send messaging_channel: whatsapp, messenger or instagram",
    _MESSAGING,
    2804063,
)
_NOT_FOR_MESSAGING = _error(
    "event_name_not_for_messaging",
    "event_name",
    "Meta takes few events from business messaging",
    f"send one of {', '.join(sorted(MESSAGING_EVENT_NAMES))}",
    _MESSAGING,
    2804066,
)
_UNKNOWN_OPTION = _error(
    "unknown_option",
    "data_processing_options",
    "the only option is LDU, limited data use",
    'send ["LDU"], or [] to say that there is none',
    _OPTIONS,
)
_UNKNOWN_COUNTRY_CODE = _error(
    "unknown_country_code",
    "data_processing_options_country",
    "0 asks Meta to find the country, 1 is the USA; there is no other",
    "send 0 or 1",
    _OPTIONS,
)
_UNKNOWN_STATE_CODE = _error(
    "unknown_state_code",
    "data_processing_options_state",
    "0 asks Meta to find the state, 1000 to 1013 are states of the USA",
    "send 0, or a state's code with data_processing_options_country 1",
    _OPTIONS,
)


def _too_old(days: int) -> Finding:
    return _error(
        "event_time_too_old",
        "event_time",
        f"the event is older than the {days} days Meta accepts; one such event refuses its whole batch",
        "send events within an hour of their happening; this one cannot be sent any more",
        f"{_SERVER_EVENT}#event-time",
        2804003,
    )


def _not_an_amount(key: str) -> Finding:
    return _error(
        "not_an_amount",
        f"custom_data.{key}",
        "an amount is a number of the currency's major unit, not below zero",
        "send a plain number such as 299.99, without currency sign or thousands separator",
        _CUSTOM_DATA,
    )


def _not_printable(key: str) -> Finding:
    message, fix = "names and ids are printable text", "remove line breaks and control characters"
    return _error("not_printable", key, message, fix, _SERVER_EVENT)


def _blank(name: str) -> Finding:
    return _not_printable("event_id" if name.strip() else "event_name")
