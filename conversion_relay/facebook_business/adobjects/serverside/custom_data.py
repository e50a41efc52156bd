"""As the SDK has it."""

from conversion_relay.facebook_business.shapes import CustomData

__all__ = ["CustomData"]
