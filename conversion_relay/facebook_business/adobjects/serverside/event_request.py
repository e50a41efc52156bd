"""As the SDK has it."""

from conversion_relay.facebook_business.requests import EventRequest

__all__ = ["EventRequest"]
