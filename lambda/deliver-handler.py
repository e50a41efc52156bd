"""Lambda: the queue's reader, which sends to Meta. Handler `deliver-handler.lambda_handler`."""

from functools import cache

import meta_conversions_api

from conversion_relay.aws import DeliveryFunction
from conversion_relay.errors import leaves_no_variables

_delivery = cache(DeliveryFunction)


@leaves_no_variables
def lambda_handler(event, context=None):
    """Messages of the queue; or, from the test console, one event that is sent at once."""
    if isinstance(event, dict) and "event_type" in event:
        return meta_conversions_api.lambda_handler(event, context)
    return _delivery().handle(event, context)
