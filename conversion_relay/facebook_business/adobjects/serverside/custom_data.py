"""As the SDK has it, with the names that its file imports: programs take them from here, too."""

from conversion_relay.facebook_business.choices import DeliveryCategory
from conversion_relay.facebook_business.shapes import Content, CustomData

__all__ = ["Content", "CustomData", "DeliveryCategory"]
