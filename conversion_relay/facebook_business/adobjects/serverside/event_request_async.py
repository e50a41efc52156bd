"""As the SDK has it."""

from conversion_relay.facebook_business.requests import EventRequestAsync

__all__ = ["EventRequestAsync"]
