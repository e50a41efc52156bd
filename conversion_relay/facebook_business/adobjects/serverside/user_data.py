"""As the SDK has it, with the names that its file imports: programs take them from here, too."""

from conversion_relay.facebook_business.choices import Gender
from conversion_relay.facebook_business.shapes import UserData

__all__ = ["Gender", "UserData"]
