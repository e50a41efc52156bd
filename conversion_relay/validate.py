"""Every reason Meta has to refuse an event, as findings; what it takes and makes little of is in `advice.py`.

They read Meta's own JSON of one event (after `intake` has hashed it), so they judge the very bytes that will be sent.
Sources beside each rule; subcodes as recorded from Meta's answers.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from conversion_relay.customer_information import CURRENCY_EXPONENTS
from conversion_relay.event_id import holds_email
from conversion_relay.finding import PAGES, Finding

DAY = 86_400
OLDEST_DAYS = {"physical_store": 62}
"""Days back that Meta takes an event from; 7 where the action source is not listed."""
MARGIN_SECONDS = 3_600
"""We stop this long before Meta's limit: the event must still be young when Meta reads its clock."""

# An event whose keys all lie within one of these is refused: "so broad that it is unlikely to be effective".
# https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices
TOO_BROAD = (
    frozenset({"ct", "country", "st", "zp", "ge", "client_user_agent"}),
    frozenset({"db", "client_user_agent"}),
    frozenset({"fn", "ge"}),
    frozenset({"ln", "ge"}),
)
MESSAGING_EVENT_NAMES = frozenset({"Purchase", "LeadSubmitted", "AddToCart", "InitiateCheckout", "ViewContent"})
STATE_CODES = range(1000, 1014)


def errors(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """Every reason not to send this event. `event` is Meta's JSON of it, hashed; `now` in Unix seconds.

    >>> [(f.code, f.path) for f in errors({"event_name": "Contact", "event_time": 1700000000,
    ...     "action_source": "website", "user_data": {"client_user_agent": "Mozilla/5.0"}}, 1700000000)]
    [('too_broad', 'user_data')]
    """
    for rule in _RULES:
        yield from rule(event, now)


def expiry(event_time: int, action_source: str) -> int:
    """Unix seconds after which this event is not sent any more.

    "event_time can be up to 7 days before you send an event to Meta", 62 for `physical_store`.
    """
    return event_time + OLDEST_DAYS.get(action_source, 7) * DAY - MARGIN_SECONDS


def _event_time(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    link = f"{PAGES}/parameters/server-event#event-time"
    if expiry(event["event_time"], event.get("action_source", "")) <= now:
        days = OLDEST_DAYS.get(event.get("action_source", ""), 7)
        yield Finding(
            "event_time_too_old",
            "event_time",
            "error",
            f"the event is older than the {days} days Meta accepts; one such event refuses its whole batch",
            "send events within an hour of their happening; this one cannot be sent any more",
            link,
            2804003,
        )
    elif event["event_time"] > now + 300:
        yield Finding(
            "event_time_in_the_future",
            "event_time",
            "error",
            "the event lies in the future",
            "send Unix seconds in UTC from a clock that is right, or leave event_time out",
            link,
        )


def _customer_information(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    keys = frozenset(event["user_data"])
    if any(keys <= broad for broad in TOO_BROAD):
        yield Finding(
            "too_broad",
            "user_data",
            "error",
            "no usable match key: a user agent alone, or place and gender alone, match nobody",
            "add one of em, ph, external_id, fbp, fbc, client_ip_address, or a full name",
            f"{PAGES}/best-practices",
            2804050,
        )


def _purchase(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    if event["event_name"] != "Purchase":
        return
    custom = event.get("custom_data", {})
    link = f"{PAGES}/parameters/custom-data"
    for key, subcode, example in (("value", 2804009, "299.99"), ("currency", 2804010, "EUR")):
        if custom.get(key) in (None, ""):
            yield Finding(
                "missing_field",
                f"custom_data.{key}",
                "error",
                f"a Purchase must carry its {key}",
                f"send custom_data.{key}, for example {example}",
                link,
                subcode,
            )


def money(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    custom = event.get("custom_data", {})
    link = f"{PAGES}/parameters/custom-data"
    for key in ("value", "predicted_ltv", "net_revenue"):
        amount = custom.get(key)
        if amount is not None and (not is_number(amount) or (key == "value" and float(amount) < 0)):
            yield Finding(
                "not_an_amount",
                f"custom_data.{key}",
                "error",
                "an amount is a number of the currency's major unit, not below zero",
                "send a plain number such as 299.99, without currency sign or thousands separator",
                link,
            )
    currency = custom.get("currency")
    if currency not in (None, "") and not (isinstance(currency, str) and currency in CURRENCY_EXPONENTS):
        yield Finding(
            "not_a_currency",
            "custom_data.currency",
            "error",
            "the currency is no ISO 4217 code",
            "send three letters such as USD, EUR, JPY",
            link,
        )


def _contents(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    contents = event.get("custom_data", {}).get("contents")
    if contents is None:
        return
    whole = isinstance(contents, list) and all(isinstance(item, dict) and "id" in item for item in contents)
    if not whole:
        yield Finding(
            "wrong_type",
            "custom_data.contents",
            "error",
            "contents is a list of objects, each with an id and a quantity",
            'send [{"id": "SKU-1", "quantity": 1}]',
            f"{PAGES}/parameters/custom-data#contents",
        )


def _names(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    if len(event["event_name"]) > 50:
        yield Finding(
            "event_name_too_long",
            "event_name",
            "error",
            "a custom event name has at most 50 characters",
            "use a standard event or a shorter name",
            "https://developers.facebook.com/docs/meta-pixel/reference",
        )


def _printable(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    for key in ("event_name", "event_id"):
        text = event.get(key, "")
        if not text.isprintable() or text.isspace():
            yield Finding(
                "not_printable",
                key,
                "error",
                "names and ids are printable text",
                "remove line breaks and control characters",
                f"{PAGES}/parameters/server-event",
            )
    if holds_email(event["event_name"]):
        yield Finding(
            "personal_data",
            "event_name",
            "error",
            "an event's name must not hold an e-mail address",
            "send the address as user_data.email",
            f"{PAGES}/parameters/server-event",
        )


def _app(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    if event["action_source"] != "app":
        return
    link = f"{PAGES}/parameters/app-data"
    app_data = event.get("app_data")
    if app_data is None:
        yield Finding(
            "missing_field",
            "app_data",
            "error",
            "app events must carry app_data",
            "send app_data with extinfo, application_tracking_enabled and advertiser_tracking_enabled",
            link,
            2804019,
        )
        return
    extinfo = app_data.get("extinfo")
    whole = isinstance(extinfo, list) and len(extinfo) == 16
    if not (whole and all(isinstance(part, str) for part in extinfo) and extinfo[0] in ("a2", "i2") and extinfo[4]):
        yield Finding(
            "bad_extinfo",
            "app_data.extinfo",
            "error",
            "extinfo is a list of 16 texts: the first a2 (Android) or i2 (iOS), the fifth the OS version",
            'send "" for each part that is not known',
            link,
            2804043,
        )


def _messaging(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    if event["action_source"] != "business_messaging":
        return
    link = "https://developers.facebook.com/docs/marketing-api/conversions-api/business-messaging"
    if not event.get("messaging_channel"):
        yield Finding(
            "missing_field",
            "messaging_channel",
            "error",
            "business messaging events must say which channel",
            "send messaging_channel: whatsapp, messenger or instagram",
            link,
            2804063,
        )
    if event["event_name"] not in MESSAGING_EVENT_NAMES:
        yield Finding(
            "event_name_not_for_messaging",
            "event_name",
            "error",
            "Meta takes few events from business messaging",
            f"send one of {', '.join(sorted(MESSAGING_EVENT_NAMES))}",
            link,
            2804066,
        )


def _data_processing(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """A privacy wish that Meta would not understand must not be sent as if it had been one."""
    link = "https://developers.facebook.com/docs/marketing-api/data-processing-options"
    options = event.get("data_processing_options")
    country, state = event.get("data_processing_options_country"), event.get("data_processing_options_state")
    if options is not None and [option for option in options if option != "LDU"]:
        yield Finding(
            "unknown_option",
            "data_processing_options",
            "error",
            "the only option is LDU, limited data use",
            'send ["LDU"], or [] to say that there is none',
            link,
        )
    if country not in (None, 0, 1):
        yield Finding(
            "unknown_country_code",
            "data_processing_options_country",
            "error",
            "0 asks Meta to find the country, 1 is the USA; there is no other",
            "send 0 or 1",
            link,
        )
    if state not in (None, 0) and (state not in STATE_CODES or country != 1):
        yield Finding(
            "unknown_state_code",
            "data_processing_options_state",
            "error",
            "0 asks Meta to find the state, 1000 to 1013 are states of the USA",
            "send 0, or a state's code with data_processing_options_country 1",
            link,
        )


def is_number(amount: object) -> bool:
    # Meta's own page shows a numeric string ("142.52"); True is an int to Python and no amount to anybody.
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        return False
    try:
        return math.isfinite(float(amount)) and (not isinstance(amount, str) or amount.isascii())
    except (ValueError, OverflowError):
        return False


_RULES = (
    _names,
    _printable,
    _event_time,
    _customer_information,
    _purchase,
    money,
    _contents,
    _app,
    _messaging,
    _data_processing,
)
