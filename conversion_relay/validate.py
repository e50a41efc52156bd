"""Every reason Meta has to refuse an event, and what it would silently make little of, as findings.

`check` reads Meta's own JSON of one event (after `intake` has hashed it), so it judges the very bytes that will be
sent. Sources beside each rule; subcodes as recorded from Meta's answers.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from conversion_relay.customer_information import CURRENCY_EXPONENTS
from conversion_relay.event_id import holds_email

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
_PAGES = "https://developers.facebook.com/docs/marketing-api/conversions-api"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with one field, and how to mend it."""

    code: str
    path: str
    severity: Literal["error", "warning", "hint"]
    message: str
    fix: str
    link: str
    subcode: int | None = None
    """The `error_subcode` that Meta would answer with, where it is known."""


def check(event: Mapping[str, Any], now: float) -> list[Finding]:
    """All findings of one event, errors first. `now` in Unix seconds.

    >>> [(f.code, f.path) for f in check({"event_name": "Contact", "event_time": 1700000000,
    ...     "action_source": "website", "user_data": {"client_user_agent": "Mozilla/5.0"}}, 1700000000)]
    [('too_broad', 'user_data'), ('missing_field', 'event_source_url')]
    """
    findings = [finding for rule in _RULES for finding in rule(event, now)]
    return sorted(findings, key=lambda finding: ("error", "warning", "hint").index(finding.severity))


def expiry(event_time: int, action_source: str) -> int:
    """Unix seconds after which this event is not sent any more.

    "event_time can be up to 7 days before you send an event to Meta", 62 for `physical_store`.
    """
    return event_time + OLDEST_DAYS.get(action_source, 7) * DAY - MARGIN_SECONDS


def _event_time(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    link = f"{_PAGES}/parameters/server-event#event-time"
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
            f"{_PAGES}/best-practices",
            2804050,
        )


def _website(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    if event.get("action_source") != "website":
        return
    link = f"{_PAGES}/parameters/server-event#action-source"
    if "event_source_url" not in event:
        yield Finding(
            "missing_field",
            "event_source_url",
            "warning",
            "website events should say which page they happened on",
            "send the page's URL",
            link,
        )
    if "client_user_agent" not in event["user_data"]:
        yield Finding(
            "missing_field",
            "user_data.client_user_agent",
            "warning",
            "website events should carry the visitor's user agent",
            "pass on the User-Agent header of the visitor's own request",
            link,
        )


def _purchase(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    if event["event_name"] != "Purchase":
        return
    custom = event.get("custom_data", {})
    link = f"{_PAGES}/parameters/custom-data"
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


def _money(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    custom = event.get("custom_data", {})
    link = f"{_PAGES}/parameters/custom-data"
    for key in ("value", "predicted_ltv", "net_revenue"):
        amount = custom.get(key)
        if amount is not None and (not _is_number(amount) or (key == "value" and float(amount) < 0)):
            yield Finding(
                "not_an_amount",
                f"custom_data.{key}",
                "error",
                "an amount is a number of the currency's major unit, not below zero",
                "send a plain number such as 299.99, without currency sign or thousands separator",
                link,
            )
    currency = custom.get("currency")
    if currency is not None and currency != "" and currency not in CURRENCY_EXPONENTS:
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
            f"{_PAGES}/parameters/custom-data#contents",
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
                f"{_PAGES}/parameters/server-event",
            )
    if holds_email(event["event_name"]):
        yield Finding(
            "personal_data",
            "event_name",
            "error",
            "an event's name must not hold an e-mail address",
            "send the address as user_data.email",
            f"{_PAGES}/parameters/server-event",
        )


def _is_number(amount: object) -> bool:
    # Meta's own page shows a numeric string ("142.52"); True is an int to Python and no amount to anybody.
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        return False
    try:
        return math.isfinite(float(amount)) and (not isinstance(amount, str) or amount.isascii())
    except (ValueError, OverflowError):
        return False


_RULES = (_names, _printable, _event_time, _customer_information, _website, _purchase, _money, _contents)
