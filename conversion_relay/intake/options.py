"""Limited Data Use, the flags of an app and the channel of a message, completed to what Meta takes.

Meta refuses `["LDU"]` without its two numbers as an invalid combination, and the visitor's wish would be lost with the
event. Country 0 and state 0 ask Meta to find out where the person is, so nothing is claimed by adding them.
https://developers.facebook.com/docs/marketing-api/data-processing-options
"""

from typing import Any

import msgspec

from conversion_relay.intake.flattened import is_numbered
from conversion_relay.intake.members import TRACKING
from conversion_relay.intake.mending import Tell
from conversion_relay.meta.customer_information.nothing import is_nothing
from conversion_relay.meta.reasons import MESSAGING_CHANNELS

_COUNTRY, _STATE = "data_processing_options_country", "data_processing_options_state"
_USA = 1


def complete_options(wire: dict[str, Any], tell: Tell) -> None:
    """In place. An option that Meta does not know stays, and `meta.validate` refuses it.

    >>> wire = {"data_processing_options": ["ldu"]}
    >>> complete_options(wire, lambda *what: None); wire
    {'data_processing_options': ['LDU'], 'data_processing_options_country': 0, 'data_processing_options_state': 0}
    """
    options = wire.get("data_processing_options")
    if not options:
        return
    said = [option for option in options if option.strip() and not is_nothing(option.strip())]
    wire["data_processing_options"] = options = ["LDU" if option.lower() == "ldu" else option for option in said]
    if "LDU" not in options:
        return
    country, state = wire.get(_COUNTRY), wire.get(_STATE)
    if country is None:
        # Only states of the USA have a code.
        wire[_COUNTRY] = _USA if state else 0
        tell(_COUNTRY, f"completed with {wire[_COUNTRY]}")
    if state is None and wire[_COUNTRY] != _USA:
        wire[_STATE] = 0
        tell(_STATE, "completed with 0: Meta finds the state")


def complete_channel(wire: dict[str, Any], tell: Tell) -> None:
    """`messaging_channel` in Meta's spelling, in place. One that Meta does not know is left out where nobody needs it.

    >>> wire = {"messaging_channel": "WhatsApp", "action_source": "business_messaging"}
    >>> complete_channel(wire, lambda *what: None); wire["messaging_channel"]
    'whatsapp'
    """
    given = wire["messaging_channel"]
    spelled = given.strip().lower() if isinstance(given, str) else given
    if spelled in MESSAGING_CHANNELS:
        wire["messaging_channel"] = spelled
    elif wire.get("action_source") != "business_messaging":
        del wire["messaging_channel"]
        tell("messaging_channel", "Meta knows messenger, instagram and whatsapp")


def complete_app_data(wire: dict[str, Any]) -> None:
    """The two flags of an app are 0 or 1, and `extinfo` is a list; in place.

    >>> wire = {"app_data": {"advertiser_tracking_enabled": True, "extinfo": []}}
    >>> complete_app_data(wire); wire["app_data"]["advertiser_tracking_enabled"]
    1
    """
    app_data = wire.get("app_data")
    if isinstance(app_data, dict):
        for name in TRACKING:
            flag = app_data.get(name)
            said = flag.strip().lower() if isinstance(flag, str) else flag
            if isinstance(said, bool) or said in ("0", "1", "true", "false", "yes", "no", 0.0, 1.0):
                app_data[name] = int(said in (True, "1", "true", "yes"))
        if "extinfo" in app_data:
            app_data["extinfo"] = _extinfo(app_data["extinfo"])


def _extinfo(given: Any) -> Any:
    """16 texts or whole numbers; what is not known is ""."""
    if isinstance(given, str):
        try:
            given = _decoder.decode(given)
        except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
            return given
    if isinstance(given, dict) and is_numbered(given):
        given = [given.get(str(place)) for place in range(16)]
    if not isinstance(given, list):
        return given
    return ["" if part is None else int(part) if _is_whole(part) else part for part in given[:17]]


def _is_whole(part: object) -> bool:
    return isinstance(part, float) and part.is_integer() and abs(part) < 2**53


_decoder = msgspec.json.Decoder()
