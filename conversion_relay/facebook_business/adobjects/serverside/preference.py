"""As the SDK has it."""

from conversion_relay.facebook_business.shapes import Preference

__all__ = ["Preference"]
