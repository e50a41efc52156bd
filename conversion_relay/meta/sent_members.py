"""Meta's names of members, and which JSON may stand in a match key that is sent.

The pages of the parameters: https://developers.facebook.com/docs/marketing-api/conversions-api/parameters
"""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EVENT_NAMES = _words(
    "event_name event_time user_data custom_data action_source event_id event_source_url referrer_url opt_out "
    "data_processing_options data_processing_options_country data_processing_options_state app_data "
    "original_event_data attribution_data customer_segmentation messaging_channel advanced_measurement_table"
)
HASHED = _words("em ph fn ln ge db ct st zp country f5first f5last fi dobd dobm doby")
USER_DATA_NAMES = HASHED | _words(
    "client_ip_address client_user_agent external_id fbc fbp lead_id subscription_id fb_login_id madid anon_id "
    "ctwa_clid page_id page_scoped_user_id ig_sid ig_account_id whatsapp_business_account_id"
)
CONTENT_NAMES = _words("id quantity item_price title description brand category delivery_category")
"""What each of the contents may hold; Meta refuses a request for any other name in it."""
_ABSENT: tuple[object, ...] = (None, "", [], {})


def is_hashed(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in value)
    return value in (None, "") or (isinstance(value, str) and _DIGEST.fullmatch(value) is not None)


def is_click(fbc: object) -> bool:
    """Nothing, or a click id that Meta reads. Seconds for milliseconds are read, and match nobody."""
    return fbc in _ABSENT or (isinstance(fbc, str) and _CLICK_ID.fullmatch(fbc) is not None)


def is_text(key: str, value: object) -> bool:
    """Whether a match key that is never hashed is text or a number; of `external_id` there may be several.

    >>> is_text("fbp", "fb.1.1596403881668.1"), is_text("fbp", ["a"]), is_text("external_id", ["a", 42])
    (True, False, True)
    """
    if key in HASHED or key == "fbc" or value in _ABSENT:
        return True
    several = value if key == "external_id" and isinstance(value, list) else [value]
    return all(isinstance(one, str | int) and not isinstance(one, bool) for one in several)


def says_something(value: object) -> bool:
    """
    >>> says_something(["", "a"]), says_something([" ", None]), says_something(0)
    (True, False, True)
    """
    if isinstance(value, list):
        return any(map(says_something, value))
    return value not in _ABSENT and not (isinstance(value, str) and value.isspace())


_DIGEST = re.compile(r"[0-9a-f]{64}(?:\.(?:[\w-]{8}|[\w-]{2}))?", re.ASCII)
# https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc
_CLICK_ID = re.compile(r"fb\.\d{1,2}\.\d{10,16}\.[\w-]+(?:\.[\w-]+)?", re.ASCII)
