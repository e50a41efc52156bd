"""Meta's reasons to refuse an event, in words: one `Finding` for each, with its remedy, its page and Meta's subcode.

`validate.py` decides which of them an event gives. They stand apart so that each file reads in one sitting: a rule that
changes is changed there, a sentence here. Subcodes are as recorded from Meta's answers; none where none was recorded.
"""

from conversion_relay.meta.finding import PAGES, Finding

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
    "an event's name must not hold an e-mail address",
    "send the address as user_data.email",
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
    'send [{"id": "SKU-1", "quantity": 1}]',
    f"{_CUSTOM_DATA}#contents",
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
    "extinfo is a list of 16 texts: the first a2 (Android) or i2 (iOS), the fifth the OS version",
    'send "" for each part that is not known',
    f"{PAGES}/parameters/app-data",
    2804043,
)
NO_CHANNEL = _error(
    "missing_field",
    "messaging_channel",
    "business messaging events must say which channel",
    "send messaging_channel: whatsapp, messenger or instagram",
    _MESSAGING,
    2804063,
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


def too_old(days: int) -> Finding:
    return _error(
        "event_time_too_old",
        "event_time",
        f"the event is older than the {days} days Meta accepts; one such event refuses its whole batch",
        "send events within an hour of their happening; this one cannot be sent any more",
        f"{_SERVER_EVENT}#event-time",
        2804003,
    )


def not_an_amount(key: str) -> Finding:
    return _error(
        "not_an_amount",
        f"custom_data.{key}",
        "an amount is a number of the currency's major unit, not below zero",
        "send a plain number such as 299.99, without currency sign or thousands separator",
        _CUSTOM_DATA,
    )


def not_printable(key: str) -> Finding:
    message, fix = "names and ids are printable text", "remove line breaks and control characters"
    return _error("not_printable", key, message, fix, _SERVER_EVENT)


def blank(name: str) -> Finding:
    return not_printable("event_id" if name.strip() else "event_name")
