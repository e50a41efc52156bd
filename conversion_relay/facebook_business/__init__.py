"""The names of Meta's `facebook-business`, over a Relay: a shop switches by one word in its imports.

    from conversion_relay.facebook_business.adobjects.serverside.event import Event      # as the SDK's paths are
    from conversion_relay.facebook_business import Event, EventRequest, UserData         # or all from here

Only names and shapes are the SDK's; no line of it is here, and it need not be installed. What differs is told in
docs/from-facebook-business.md: `execute` returns when the events are durable, not when Meta has answered; Meta being
down is no error; one bad event does not refuse its neighbours; an address that cannot be read is left out, not raised.
"""

from conversion_relay.facebook_business.api import FacebookAdsApi, use_relay
from conversion_relay.facebook_business.choices import ActionSource, DeliveryCategory, Gender, MessagingChannel
from conversion_relay.facebook_business.exceptions import FacebookError, FacebookRequestError
from conversion_relay.facebook_business.request_context import Preference
from conversion_relay.facebook_business.requests import BatchProcessor, EventRequest, EventRequestAsync, EventResponse
from conversion_relay.facebook_business.shapes import Content, CustomData, Event, UserData

__all__ = [
    "ActionSource",
    "BatchProcessor",
    "Content",
    "CustomData",
    "DeliveryCategory",
    "Event",
    "EventRequest",
    "EventRequestAsync",
    "EventResponse",
    "FacebookAdsApi",
    "FacebookError",
    "FacebookRequestError",
    "Gender",
    "MessagingChannel",
    "Preference",
    "UserData",
    "use_relay",
]
