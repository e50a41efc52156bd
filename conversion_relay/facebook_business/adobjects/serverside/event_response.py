"""As the SDK has it."""

from conversion_relay.facebook_business.requests import EventResponse

__all__ = ["EventResponse"]
