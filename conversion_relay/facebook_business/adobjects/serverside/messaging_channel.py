"""As the SDK has it."""

from conversion_relay.facebook_business.choices import MessagingChannel

__all__ = ["MessagingChannel"]
