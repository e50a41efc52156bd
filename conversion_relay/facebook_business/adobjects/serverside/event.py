"""As the SDK has it, with the names that its file imports: programs take them from here, too."""

from conversion_relay.facebook_business.choices import ActionSource, MessagingChannel
from conversion_relay.facebook_business.request_context import Preference
from conversion_relay.facebook_business.shapes import CustomData, Event, UserData

__all__ = ["ActionSource", "CustomData", "Event", "MessagingChannel", "Preference", "UserData"]
