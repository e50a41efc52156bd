"""As the SDK has it."""

from conversion_relay.facebook_business.choices import DeliveryCategory

__all__ = ["DeliveryCategory"]
