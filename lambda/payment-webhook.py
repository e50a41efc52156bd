"""Lambda: POST /payment-webhook, from Stripe. Handler `payment-webhook.lambda_handler`."""

import meta_conversions_api  # finds the package in a checkout, too

from conversion_relay.course_site.on_aws import the_site
from conversion_relay.course_site.on_lambda import answer, is_test_document
from conversion_relay.course_site.site import CourseSite
from conversion_relay.errors import leaves_no_variables


@leaves_no_variables
def lambda_handler(event, context=None):
    """An HTTP request; or, from the test console, one event that is tracked at once."""
    if is_test_document(event):
        return meta_conversions_api.lambda_handler(event, context)
    return answer(event, CourseSite.payment_webhook, the_site)
