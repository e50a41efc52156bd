"""As the SDK has it."""

from conversion_relay.facebook_business.shapes import Event

__all__ = ["Event"]
