"""As the SDK has it."""

from conversion_relay.facebook_business.choices import ActionSource

__all__ = ["ActionSource"]
