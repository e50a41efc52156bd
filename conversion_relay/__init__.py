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
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conversion_relay.errors import (
        InvalidEvent,
        OutboxUnavailable,
        RelayError,
        SettingsError,
        SignatureError,
    )
    from conversion_relay.event import Content, CustomData, Event, Rejection, UserData
    from conversion_relay.intake.request_facts import RequestFacts
    from conversion_relay.relay import Relay, Sent, Tracked
    from conversion_relay.settings import Settings

__version__ = "0.1.0"

_HOME = {
    "Content": "event",
    "CustomData": "event",
    "Event": "event",
    "InvalidEvent": "errors",
    "OutboxUnavailable": "errors",
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
}
__all__ = [
    "Content",
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
]


def __getattr__(name: str) -> object:
    """Loaded when first asked for: a Lambda function that only accepts must not pay for the client that sends."""
    if name not in _HOME:
        raise AttributeError(f"module 'conversion_relay' has no attribute {name!r}")
    return getattr(import_module(f"conversion_relay.{_HOME[name]}"), name)
