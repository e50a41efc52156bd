"""Conversion Relay: what happens on a website becomes a conversion event at Meta, once, and durably.

>>> from conversion_relay import CustomData, Event, Relay, UserData
>>> with Relay.from_env() as relay:  # doctest: +SKIP
...     relay.track(
...         Event(
...             event_name="Purchase",
...             event_id="purchase_1001",
...             user_data=UserData(email="john_smith@gmail.com"),
...             custom_data=CustomData(value=299.99, currency="USD").to_wire(),
...         )
...     )

A customer imports from here, from `conversion_relay.aws`, `.payments` and `.webhooks`, and from nowhere else: these
names stay. Each is loaded when it is first asked for, so that a program pays only for what it uses.
"""

import os
from importlib import import_module

if os.name != "posix":
    raise ImportError("Conversion Relay needs Linux, macOS or another POSIX system; on Windows it runs within WSL")

# A checker knows the name. `typing` is the slowest import here, and Ctrl-C within it cannot be answered well yet.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from conversion_relay.errors import InvalidEvent, OutboxUnavailable, RelayError, SettingsError, SignatureError
    from conversion_relay.event import Content, CustomData, Event, Rejection, UserData
    from conversion_relay.event_id import for_contact, for_purchase, for_registration, without_email
    from conversion_relay.intake.browser import (
        PREFLIGHT_SECONDS,
        BrowserIds,
        CookieSite,
        cors_headers,
        is_own_page,
        listed_origin,
        shared_site,
    )
    from conversion_relay.intake.misshapen import wrong_shape
    from conversion_relay.intake.reading import read_event
    from conversion_relay.intake.request_facts import RequestFacts, request_facts
    from conversion_relay.intake.view_content import view_content_event
    from conversion_relay.relay import Relay, Sent, Tracked
    from conversion_relay.settings import Settings
    from conversion_relay.telemetry import Counters, configure_logging

__version__ = "0.1.0"

_HOME = {
    "BrowserIds": "intake.browser",
    "Content": "event",
    "CookieSite": "intake.browser",
    "Counters": "telemetry",
    "CustomData": "event",
    "Event": "event",
    "InvalidEvent": "errors",
    "OutboxUnavailable": "errors",
    "PREFLIGHT_SECONDS": "intake.browser",
    "Rejection": "event",
    "Relay": "relay",
    "RelayError": "errors",
    "RequestFacts": "intake.request_facts",
    "Sent": "relay",
    "Settings": "settings",
    "SettingsError": "errors",
    "SignatureError": "errors",
    "Tracked": "relay",
    "UserData": "event",
    "configure_logging": "telemetry",
    "cors_headers": "intake.browser",
    "for_contact": "event_id",
    "for_purchase": "event_id",
    "for_registration": "event_id",
    "is_own_page": "intake.browser",
    "listed_origin": "intake.browser",
    "read_event": "intake.reading",
    "request_facts": "intake.request_facts",
    "shared_site": "intake.browser",
    "view_content_event": "intake.view_content",
    "without_email": "event_id",
    "wrong_shape": "intake.misshapen",
}
__all__ = [
    "PREFLIGHT_SECONDS",
    "BrowserIds",
    "Content",
    "CookieSite",
    "Counters",
    "CustomData",
    "Event",
    "InvalidEvent",
    "OutboxUnavailable",
    "Rejection",
    "Relay",
    "RelayError",
    "RequestFacts",
    "Sent",
    "Settings",
    "SettingsError",
    "SignatureError",
    "Tracked",
    "UserData",
    "configure_logging",
    "cors_headers",
    "for_contact",
    "for_purchase",
    "for_registration",
    "is_own_page",
    "listed_origin",
    "read_event",
    "request_facts",
    "shared_site",
    "view_content_event",
    "without_email",
    "wrong_shape",
]

if not TYPE_CHECKING:  # or a checker believed every name that somebody mistypes

    def __getattr__(name: str) -> object:
        """Loaded when first asked for: a Lambda function that only accepts must not pay for the client that sends."""
        if name not in _HOME:
            raise AttributeError(f"module 'conversion_relay' has no attribute {name!r}")
        return getattr(import_module(f"conversion_relay.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """Those that are not loaded yet, too: for a shell that completes names, and for `help`."""
    return sorted({*globals(), *__all__})
