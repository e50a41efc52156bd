"""Lambda: POST /payment-webhook, from Stripe. Handler `payment-webhook.lambda_handler`."""

import meta_conversions_api  # finds the package in a checkout, too

from conversion_relay.course_site.door import door
from conversion_relay.course_site.on_aws import open_site
from conversion_relay.course_site.site import CourseSite

lambda_handler = door(CourseSite.payment_webhook, open_site, meta_conversions_api.lambda_handler)
