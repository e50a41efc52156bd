"""As the SDK has it."""

from conversion_relay.facebook_business.shapes import UserData

__all__ = ["UserData"]
