"""A visitor's wish: how a "yes" is written, and the "no" that stands beside an event by another program's name.

It is not guessed what such a name means here, and it is not passed over: the event is refused, with the remedy.
"""

from typing import Literal

from conversion_relay.intake.spellings import spelling


def passed_over(known: str, value: object) -> str | None:
    """The remedy, where this is a visitor's "no" by another program's name."""
    if known in _WISHES_ELSEWHERE and says_no(value):
        return _WISH_BY_OUR_NAME
    # 1YYN: notice was given, and this visitor opted out. https://github.com/InteractiveAdvertisingBureau/USPrivacy
    is_us = known == "usprivacy" and isinstance(value, str) and len(value) == 4 and value[2] in "Yy"
    return _OPT_OUT_BY_OUR_NAME if is_us or (known in _OPT_OUTS and read_wish(value)) else None


def meant_by(known: str) -> Literal["consent", "gpc"] | None:
    """The member of ours that this name of another program's stands for, whatever its value is.

    >>> meant_by("adstorage"), meant_by("donotsell"), meant_by("storage")
    ('consent', 'gpc', None)
    """
    if known in _WISHES_ELSEWHERE:
        return "consent"
    return "gpc" if known in _OPT_OUTS else None


def read_wish(given: object) -> bool | None:
    """A visitor's wish: whatever is no "no" is a "yes"."""
    said = given.strip().lower() if isinstance(given, str) else given
    if said in ("", [], {}):
        return None
    return not (isinstance(said, str | int | float) and said in ("false", "no", "0", "off", 0))


def declines(given: object) -> bool:
    """Whether this answer to the question for consent is no "yes": a word that nobody knows is none. Of an object of
    answers, as consent platforms write it, whether a "no" stands in it."""
    if given is None or isinstance(given, dict):
        return says_no(given)
    said = given.strip().lower() if isinstance(given, str) else given
    return said is not True and said != "granted"


def says_no(given: object, left: int = 3) -> bool:
    """Whether a "no" stands in it; in an object of wishes, in those about advertising where some are named so."""
    if isinstance(given, dict):
        about_ads = [value for name, value in given.items() if spelling(str(name)).startswith("ad")]
        return left > 0 and any(says_no(value, left - 1) for value in (about_ads or list(given.values()))[:20])
    said = given.strip().lower() if isinstance(given, str) else given
    return said in (0, "denied", "false", "no", "0", "declined", "revoked", "withdrawn", "opted_out")


_WISHES_ELSEWHERE = frozenset(
    {"adstorage", "aduserdata", "adpersonalization", "consentmode", "consentstate", "consentstatus", "consentsettings"}
    | {"adconsent", "hasconsent", "userconsent", "marketingconsent", "trackingconsent", "cookieconsent", "consentgiven"}
    | {"consentgranted", "isconsented", "consented", "gdprconsent", "adsconsent", "advertisingconsent"}
)
"""What Google's consent mode, tag managers and consent platforms call it."""
_OPT_OUTS = frozenset(
    {"donotsell", "donotsellorshare", "donotsellmyinfo", "ccpaoptout", "optoutofsale", "saleoptout"}
    | {"limiteddatause", "ldu"}
)
"""Where a "yes" is a "no"."""
_OPT_OUT_BY_OUR_NAME = 'a visitor\'s opt-out is not passed over; send it as "gpc": true, or leave it out'
_WISH_BY_OUR_NAME = 'a visitor\'s "no" is not passed over; send it as "consent": "denied", or leave it out'
