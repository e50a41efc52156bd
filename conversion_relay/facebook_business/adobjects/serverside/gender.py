"""As the SDK has it."""

from conversion_relay.facebook_business.choices import Gender

__all__ = ["Gender"]
