"""Meta's reasons to refuse an event, in words: one `Finding` for each, with its remedy, its page and Meta's subcode.

`validate.py` decides which of them an event gives. They stand apart so that each file reads in one sitting: a rule that
changes is changed there, a sentence here. Subcodes are as recorded from Meta's answers; none where none was recorded.
"""

from conversion_relay.meta.finding import PAGES, Finding
from conversion_relay.patterns import seldom

MESSAGING_CHANNELS = frozenset({"messenger", "instagram", "whatsapp"})
MESSAGING_EVENT_NAMES = frozenset({"Purchase", "LeadSubmitted", "AddToCart", "InitiateCheckout", "ViewContent"})


def _error(code: str, path: str, message: str, fix: str, link: str, subcode: int | None = None) -> Finding:
    return Finding(code, path, "error", message, fix, link, subcode)


_SERVER_EVENT = f"{PAGES}/parameters/server-event"
_CUSTOM_DATA = f"{PAGES}/parameters/custom-data"
_PIXEL = "https://developers.facebook.com/docs/meta-pixel/reference"
_OPTIONS = "https://developers.facebook.com/docs/marketing-api/data-processing-options"
_MESSAGING = f"{PAGES}/business-messaging"
NAME_TOO_LONG = _error(
    "event_name_too_long",
    "event_name",
    "a custom event name has at most 50 characters",
    "use a standard event or a shorter name",
    _PIXEL,
)
NAME_HOLDS_A_PERSON = _error(
    "personal_data",
    "event_name",
    "an event's name must not hold an e-mail address or a phone number",
    "send them as user_data.email and user_data.phone",
    _SERVER_EVENT,
)
IN_THE_FUTURE = _error(
    "event_time_in_the_future",
    "event_time",
    "the event lies in the future",
    "send Unix seconds in UTC from a clock that is right, or leave event_time out",
    f"{_SERVER_EVENT}#event-time",
)
TOO_BROAD = _error(
    "too_broad",
    "user_data",
    "no usable match key: a user agent alone, or place and gender alone, match nobody",
    "add one of em, ph, external_id, fbp, fbc, client_ip_address, or a full name",
    f"{PAGES}/best-practices",
    2804050,
)
NOT_A_CURRENCY = _error(
    "not_a_currency",
    "custom_data.currency",
    "the currency is no ISO 4217 code",
    "send three letters such as USD, EUR, JPY",
    _CUSTOM_DATA,
)
WRONG_CONTENTS = _error(
    "wrong_type",
    "custom_data.contents",
    "contents is a list of objects, each with an id and a quantity",
    'send [{"id": "SKU-1", "quantity": 1}], as JSON and not as text of it',
    f"{_CUSTOM_DATA}#contents",
    2804008,
)
BAD_CLICK_ID = _error(
    "bad_click_id",
    "user_data.fbc",
    "a click id is fb.<index>.<milliseconds>.<fbclid>",
    "send the _fbc cookie as it is, or leave fbc out",
    f"{PAGES}/parameters/fbp-and-fbc",
    2804001,
)
PURCHASE_NEEDS = {
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
NO_APP_DATA = _error(
    "missing_field",
    "app_data",
    "app events must carry app_data",
    "send app_data with extinfo, application_tracking_enabled and advertiser_tracking_enabled",
    f"{PAGES}/parameters/app-data",
    2804019,
)
BAD_EXTINFO = _error(
    "bad_extinfo",
    "app_data.extinfo",
    "extinfo is a list of 16 texts or numbers: the first a2 (Android) or i2 (iOS), the fifth the OS version",
    'send "" for each part that is not known',
    f"{PAGES}/parameters/app-data",
    2804043,
)
NO_TRACKING_FLAG = _error(
    "missing_field",
    "app_data.advertiser_tracking_enabled",
    "app events must say whether the person allows tracking for advertising",
    "send 1 or 0, as the person answered the system's question",
    f"{PAGES}/app-events",
)
BAD_TRACKING_FLAG = _error(
    "wrong_type",
    "app_data.advertiser_tracking_enabled",
    "advertiser_tracking_enabled is 0 or 1",
    "send 1 or 0, as the person answered the system's question",
    f"{PAGES}/app-events",
)
NO_CHANNEL = _error(
    "missing_field",
    "messaging_channel",
    "business messaging events must say which channel",
    "send messaging_channel: whatsapp, messenger or instagram",
    _MESSAGING,
    2804063,
)
UNKNOWN_CHANNEL = _error(
    "unknown_channel",
    "messaging_channel",
    "Meta knows three channels",
    "send whatsapp, messenger or instagram, in small letters",
    _MESSAGING,
)
NOT_FOR_MESSAGING = _error(
    "event_name_not_for_messaging",
    "event_name",
    "Meta takes few events from business messaging",
    f"send one of {', '.join(sorted(MESSAGING_EVENT_NAMES))}",
    _MESSAGING,
    2804066,
)
UNKNOWN_OPTION = _error(
    "unknown_option",
    "data_processing_options",
    "the only option is LDU, limited data use",
    'send ["LDU"], or [] to say that there is none',
    _OPTIONS,
)
UNKNOWN_COUNTRY_CODE = _error(
    "unknown_country_code",
    "data_processing_options_country",
    "0 asks Meta to find the country, 1 is the USA; there is no other",
    "send 0 or 1",
    _OPTIONS,
)
UNKNOWN_STATE_CODE = _error(
    "unknown_state_code",
    "data_processing_options_state",
    "0 asks Meta to find the state, 1000 to 1013 are states of the USA",
    "send 0, or a state's code with data_processing_options_country 1",
    _OPTIONS,
)


NO_PLACE = _error(
    "incomplete_options",
    "data_processing_options_country",
    "LDU needs a country and a state that belong together; alone it is refused, and the visitor's wish with it",
    "send 0 for both, so that Meta finds the place, or country 1 with the state's code",
    _OPTIONS,
)
NO_PLACE_STATE = _error(
    "incomplete_options",
    "data_processing_options_state",
    "country 1 needs a state's code from 1000 to 1013",
    "send the code, or 0 for country and state, so that Meta finds the place",
    _OPTIONS,
)
_LATER = f"{PAGES}/parameters"
LATER_VALUE_NEEDS = {
    key: _error(
        "missing_field",
        f"custom_data.{key}",
        f"an AppendValue must carry {key}",
        f"send custom_data.{key}, for example {example}",
        _LATER,
    )
    for key, example in (("predicted_ltv", "299.99"), ("currency", "EUR"))
}
NO_ORIGINAL_ID = _error(
    "missing_field",
    "original_event_data",
    "an AppendValue must name the event that it belongs to",
    "send original_event_data with the event_id or the order_id of that event",
    _LATER,
)
NO_ATTRIBUTION = _error(
    "missing_field",
    "attribution_data",
    "an AppendAttribution must carry the attribution",
    "send attribution_data",
    _LATER,
)
NO_ORIGINAL_TIME = _error(
    "missing_field",
    "original_event_data.event_time",
    "Meta finds the original event by its time",
    "send the original's event_time in Unix seconds",
    _LATER,
)


def original_too_old(hours: int) -> Finding:
    return _error(
        "original_too_old",
        "original_event_data.event_time",
        f"the original event is older than the {hours} hours within which Meta takes something later about it",
        "send it sooner; this one cannot be sent any more",
        _LATER,
    )


def unknown_name(where: str, name: str) -> Finding:
    """`where`: the object, "" for the event. A name that is not plainly one may be a person's; it is not shown."""
    shown = name if _PLAIN_NAME.fullmatch(name) else "..."
    return _error(
        "unknown_field",
        f"{where}.{shown}" if where else shown,
        f"Meta knows no such name in {where or 'an event'}, and refuses the whole request for it",
        "leave it out, or send it as a property of your own, directly in custom_data",
        f"{_CUSTOM_DATA}#contents" if where.endswith("contents") else _SERVER_EVENT,
        2804019,
    )


def not_hashed(key: str) -> Finding:
    return _error(
        "not_hashed",
        f"user_data.{key}",
        "Meta takes this key as a SHA-256 digest alone",
        "give it to the relay as it is, which normalises and hashes it",
        f"{PAGES}/parameters/customer-information-parameters#{key}",
        2804016,
    )


def not_text(key: str) -> Finding:
    return _error(
        "wrong_type",
        f"user_data.{key}",
        "Meta takes this key as text",
        "send one text; several are for external_id and for keys that are hashed",
        f"{PAGES}/parameters/customer-information-parameters#{key}",
    )


def too_old(days: int) -> Finding:
    return _error(
        "event_time_too_old",
        "event_time",
        f"the event is older than the {days} days Meta accepts; one such event refuses its whole batch",
        "send events within an hour of their happening; this one cannot be sent any more",
        f"{_SERVER_EVENT}#event-time",
        2804003,
    )


_RANGES = {"predicted_ltv": "above zero", "net_revenue": "below zero for a loss"}


def not_an_amount(key: str) -> Finding:
    return _error(
        "not_an_amount",
        f"custom_data.{key}",
        f"an amount is a number of the currency's major unit, {_RANGES.get(key, 'not below zero')}",
        "send a plain number such as 299.99, without currency sign or thousands separator",
        _CUSTOM_DATA,
    )


def not_printable(key: str) -> Finding:
    message, fix = "names and ids are printable text", "remove line breaks and control characters"
    return _error("not_printable", key, message, fix, _SERVER_EVENT)


def blank(name: str) -> Finding:
    return not_printable("event_id" if name.strip() else "event_name")


_PLAIN_NAME = seldom(r"[A-Za-z_][A-Za-z_0-9]{0,39}")
