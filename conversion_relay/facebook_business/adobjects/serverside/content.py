"""As the SDK has it."""

from conversion_relay.facebook_business.shapes import Content

__all__ = ["Content"]
