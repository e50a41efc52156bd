"""What Meta asks of one kind of event alone: of apps, of messages, of limited data use, of what is said later.

`validate.py` asks these after the rules that hold for every event, and only where the event is of that kind. Each takes
Meta's JSON of an event, whose members may be any JSON, and raises nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from conversion_relay.event import STANDARD_EVENT_NAMES
from conversion_relay.meta import reasons
from conversion_relay.meta.finding import Finding
from conversion_relay.personal_data import is_quiet

ATTRIBUTION_SECONDS = 48 * 3_600
"""Within which an AppendAttribution must reach Meta, counted from the original event."""
VALUE_SECONDS = 7 * 86_400
"""The same for AppendValue."""
MARGIN_SECONDS = 3_600
"""We stop this long before Meta's limit: between our look at the clock and Meta's lie queue, network and skew."""
LATER_EVENTS = frozenset({"AppendValue", "AppendAttribution"})
LONGEST_NAME = 50
"""Characters of an event's own name: https://developers.facebook.com/docs/meta-pixel/reference"""
# https://developers.facebook.com/docs/marketing-api/data-processing-options
STATE_CODES = range(1000, 1014)
DATA_PROCESSING = frozenset(
    {"data_processing_options", "data_processing_options_country", "data_processing_options_state"}
)
_NOTHING: tuple[Finding, ...] = ()


def is_plain_name(name: str) -> bool:
    """Whether no rule has anything to say to an event for its name: one of Meta's, or one of its own that holds nobody.

    >>> is_plain_name("Lead"), is_plain_name("Quiz finished"), is_plain_name("joe (at) home")
    (True, True, False)
    """
    return name in STANDARD_EVENT_NAMES or (
        len(name) <= LONGEST_NAME
        and name not in LATER_EVENTS
        and is_quiet(name)
        and name.isprintable()
        and name.strip() == name != ""
    )


# https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/app-data
# https://developers.facebook.com/docs/marketing-api/conversions-api/app-events
def app(app_data: object) -> Sequence[Finding]:
    if not isinstance(app_data, Mapping):
        return [reasons.NO_APP_DATA]
    found = [] if _is_extinfo(app_data.get("extinfo")) else [reasons.BAD_EXTINFO]
    flag = app_data.get("advertiser_tracking_enabled")
    if flag is None or flag == "":
        return [*found, reasons.NO_TRACKING_FLAG]
    # True and False equal 1 and 0; Meta takes them, and `advice.py` says what it makes of them.
    return found if flag in (0, 1, "0", "1") else [*found, reasons.BAD_TRACKING_FLAG]


def _is_extinfo(extinfo: object) -> bool:
    """16 texts or numbers: Meta's page gives the app's versions as "int or string"."""
    if not isinstance(extinfo, list) or len(extinfo) != 16:
        return False
    return all(type(part) in (str, int, float) for part in extinfo) and extinfo[0] in ("a2", "i2") and bool(extinfo[4])


# https://developers.facebook.com/docs/marketing-api/conversions-api/business-messaging
def channel(event: Mapping[str, Any]) -> Sequence[Finding]:
    """The channel of any event that names one; business messaging must name it."""
    given = event.get("messaging_channel")
    if given in (None, ""):
        return [reasons.NO_CHANNEL] if event["action_source"] == "business_messaging" else _NOTHING
    return _NOTHING if isinstance(given, str) and given in reasons.MESSAGING_CHANNELS else [reasons.UNKNOWN_CHANNEL]


def messaging(event: Mapping[str, Any]) -> Sequence[Finding]:
    return _NOTHING if event["event_name"] in reasons.MESSAGING_EVENT_NAMES else [reasons.NOT_FOR_MESSAGING]


# https://developers.facebook.com/docs/marketing-api/data-processing-options
def data_processing(event: Mapping[str, Any]) -> Sequence[Finding]:
    """An option that Meta does not know would be ignored, and the visitor's wish with it; so it is refused.

    With LDU both numbers must be there and belong together. Without an option they say nothing: see `advice.py`.
    """
    options = event.get("data_processing_options")
    if options is None or options == "":
        options = []
    if not isinstance(options, list) or any(option != "LDU" for option in options):
        return [reasons.UNKNOWN_OPTION]
    country, state = event.get("data_processing_options_country"), event.get("data_processing_options_state")
    found = []
    if country is not None and not (type(country) is int and country in (0, 1)):
        found.append(reasons.UNKNOWN_COUNTRY_CODE)
    if state is not None and not (type(state) is int and (state == 0 or (state in STATE_CODES and country == 1))):
        found.append(reasons.UNKNOWN_STATE_CODE)
    if options and not found and ((country, state) == (1, 0) or None in (country, state)):
        found.append(reasons.NO_PLACE_STATE if country == 1 else reasons.NO_PLACE)
    return found


def later(event: Mapping[str, Any], now: float) -> Sequence[Finding]:
    """A value or an attribution for an event that was sent before; no other kind of event."""
    original = event.get("original_event_data")
    original = original if isinstance(original, Mapping) else {}
    if event["event_name"] == "AppendAttribution":
        found = [] if event.get("attribution_data") else [reasons.NO_ATTRIBUTION]
        return found + _original_time(original, now, ATTRIBUTION_SECONDS)
    custom = event.get("custom_data")
    custom = custom if isinstance(custom, Mapping) else {}
    found = [finding for key, finding in reasons.LATER_VALUE_NEEDS.items() if custom.get(key) in (None, "")]
    if not original.get("event_id") and not original.get("order_id"):
        found.append(reasons.NO_ORIGINAL_ID)
    return found + (_original_time(original, now, VALUE_SECONDS) if "event_time" in original else [])


def _original_time(original: Mapping[str, Any], now: float, within: int) -> list[Finding]:
    given = original.get("event_time")
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= 12:
        given = int(given)
    if type(given) is not int or not 0 < given < 10**12:
        return [reasons.NO_ORIGINAL_TIME]
    return [reasons.original_too_old(within // 3_600)] if given + within - MARGIN_SECONDS <= now else []
