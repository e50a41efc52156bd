"""The SDK's enumerations. Our events take their values and the enumerations alike."""

from enum import Enum


class ActionSource(Enum):
    """Where it happened."""

    EMAIL = "email"
    WEBSITE = "website"
    APP = "app"
    PHONE_CALL = "phone_call"
    CHAT = "chat"
    PHYSICAL_STORE = "physical_store"
    SYSTEM_GENERATED = "system_generated"
    BUSINESS_MESSAGING = "business_messaging"
    OTHER = "other"


class DeliveryCategory(Enum):
    """How an order reaches its buyer."""

    IN_STORE = "in_store"
    CURBSIDE = "curbside"
    HOME_DELIVERY = "home_delivery"


class Gender(Enum):
    """As Meta hashes it."""

    MALE = "m"
    FEMALE = "f"


class MessagingChannel(Enum):
    """Of an event with the action source business_messaging."""

    WHATSAPP = "whatsapp"
