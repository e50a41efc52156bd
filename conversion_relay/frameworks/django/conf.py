"""`CONVERSION_RELAY` in Django's settings, and the one Relay of the process that it describes.

CONVERSION_RELAY = {
    "SETTINGS": {"RELAY_OUTBOX": "sqlite:////var/lib/shop/conversions.db"},  # over the environment's
    "DELIVER": True,                    # in threads of each process; else `manage.py deliver_conversions`
    "OUTBOX_DATABASE": "default",       # the alias of the database in which a postgresql:// outbox is, too
    "CONSENT_COOKIE": "marketing",      # or a ConsentCookie
    "SCRIPT": "/static/meta-tracking.min.js",
    "ENDPOINT": "https://relay.shop.example/events",
    "DASHBOARD_URL": "https://relay.shop.example/dashboard",
}
"""

import os
from pathlib import PurePath
from types import NoneType
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from conversion_relay.errors import leaves_no_variables
from conversion_relay.frameworks.visitor import ConsentCookie, cookie_of
from conversion_relay.relay import Relay

TYPES: dict[str, tuple[type, ...]] = {
    "SETTINGS": (dict, NoneType),
    "DELIVER": (bool, int, NoneType),
    "CONSENT_COOKIE": (str, ConsentCookie, NoneType),
}
"""A text such as "false" would count as yes, and anything else would fail with the first request."""
KNOWN = frozenset({"SETTINGS", "DELIVER", "OUTBOX_DATABASE", "CONSENT_COOKIE", "SCRIPT", "ENDPOINT", "DASHBOARD_URL"})
LISTS = (list, tuple, set, frozenset)
_made: list[Relay] = []


def given() -> dict[str, Any]:
    """What Django's settings say. Raises ImproperlyConfigured for a name that is not known, and for a type that is none
    of its name's."""
    found: dict[str, Any] = getattr(settings, "CONVERSION_RELAY", {})
    if wrong := _wrong(found):
        del found  # Django's error page, and its mail to the admins, show the variables of each frame
        raise ImproperlyConfigured(f"CONVERSION_RELAY{wrong}")
    return found


def _wrong(found: Any) -> str:
    """What cannot be used of it, "" for nothing."""
    if not isinstance(found, dict):
        return f": a dictionary is needed, not {type(found).__name__}"
    if unknown := sorted(set(found) - KNOWN):
        return f": no such name: {', '.join(unknown)}; known are {', '.join(sorted(KNOWN))}"
    for name, types in TYPES.items():
        if not isinstance(found.get(name), types):
            wanted = " or ".join(one.__name__ for one in types[:-1])
            return f": {name} needs {wanted}, not {type(found[name]).__name__}"
    for name, value in (found.get("SETTINGS") or {}).items():
        if value is not None and (odd := _no_text(value)):
            return f"['SETTINGS']: {name} is a text, a number or a list, not {odd}"
    return ""


def environ() -> dict[str, str]:
    """The environment with Django's SETTINGS over it. None in these is a setting that is not given there."""
    own = given().get("SETTINGS") or {}
    return {**os.environ, **{name: _text(value) for name, value in own.items() if value is not None}}


def _no_text(value: Any) -> str:
    """The type that the environment could not have, "" for nothing."""
    if isinstance(value, LISTS):
        return next(filter(None, map(_no_text, value)), "")
    return "" if isinstance(value, str | int | float | PurePath) else type(value).__name__


def _text(value: Any) -> str:
    """As the environment would have it: a list has commas, and yes and no are words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(_text, value)) if isinstance(value, LISTS) else str(value)


@leaves_no_variables
def get_relay() -> Relay:
    """The Relay of this process, made when first needed. Raises SettingsError that names what is missing."""
    # No lock, which a fork could leave locked: where two threads make one each, they share a file.
    if not _made:
        has_own = bool(given().get("SETTINGS"))
        # With the environment alone, files that it names are watched while we deliver.
        _made.append(Relay.from_env(environ() if has_own else None, deliver=bool(given().get("DELIVER"))))
    return _made[0]


def consent_cookie() -> ConsentCookie | None:
    """The cookie of the consent banner; None where none is configured."""
    cookie = given().get("CONSENT_COOKIE")
    return cookie_of(cookie)


def _forget(*, setting: str, **_: Any) -> None:
    """A test's `override_settings` begins and ends with a Relay of its own."""
    if setting == "CONVERSION_RELAY":
        while _made:
            _made.pop().close()


setting_changed.connect(_forget)
