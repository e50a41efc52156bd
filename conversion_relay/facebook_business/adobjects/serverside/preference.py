"""As the SDK has it."""

from conversion_relay.facebook_business.request_context import Preference

__all__ = ["Preference"]
