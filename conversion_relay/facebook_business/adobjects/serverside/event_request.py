"""As the SDK has it, with the names that its file imports: programs take them from here, too."""

from conversion_relay.facebook_business.requests import EventRequest, EventResponse
from conversion_relay.facebook_business.shapes import Event

__all__ = ["Event", "EventRequest", "EventResponse"]
