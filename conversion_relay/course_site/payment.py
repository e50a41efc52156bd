"""POST /payment-webhook: Stripe says that somebody paid; the Purchase gets the visit that the webhook cannot know."""

from conversion_relay import CustomData, Event, InvalidEvent, RequestFacts, SignatureError, for_purchase
from conversion_relay.course_site.registration import person
from conversion_relay.course_site.shop import Registration, Shop
from conversion_relay.course_site.web import SiteAnswer, SiteError, SiteRequest, refused
from conversion_relay.payments import Ignored, Payment, Unpaid, verify

MOST_BYTES = 262_144
_SESSION = "data.object"


def payment_webhook(shop: Shop, request: SiteRequest) -> SiteAnswer:
    """Answers 200 only when the Purchase is durable; redelivered as often as Stripe likes, it stays one."""
    if len(request.body) > MOST_BYTES:
        raise SiteError(413, "too_large", "body", f"send at most {MOST_BYTES} bytes")
    try:
        notice = verify("stripe", request.body, request.headers, shop.stripe_secrets, shop.clock())
    except SignatureError as error:
        raise SiteError(400, error.reason, error.field, str(error)) from None
    except InvalidEvent as error:
        raise refused(error) from None
    match notice:
        case Ignored():
            return SiteAnswer(200, {"message": "ignored"})
        case Unpaid():
            raise SiteError(
                400, "not_paid", f"{_SESSION}.payment_status", "this session is not paid; nothing was stored"
            )
        case Payment():
            return _paid(shop, notice)


def _paid(shop: Shop, payment: Payment) -> SiteAnswer:
    if payment.reference is None:
        message = "the checkout was opened without a registration id"
        raise SiteError(400, "missing_field", f"{_SESSION}.client_reference_id", message)
    registration = shop.registrations.find(payment.reference)
    if registration is None:
        message = "no registration has this id"
        raise SiteError(404, "unknown_registration", f"{_SESSION}.client_reference_id", message)
    # This request comes from Stripe's machine, so its facts are nobody's. The visitor's were remembered at checkout.
    visit = shop.relay.facts_of(registration.registration_id) or RequestFacts()
    event_id = shop.track(_event(shop, registration, payment), visit)
    # Only now: a crash before this line is mended by the webhook's redelivery, which is a duplicate in the outbox.
    first = shop.registrations.mark_paid(registration.registration_id, payment.paid_at)
    return SiteAnswer(200, {"message": "paid" if first else "duplicate", "event_id": event_id})


def _event(shop: Shop, registration: Registration, payment: Payment) -> Event:
    course = shop.courses.get(registration.course_id)
    return Event(
        event_name="Purchase",
        event_id=for_purchase(registration.registration_id),
        event_time=payment.paid_at,
        event_source_url=registration.url,
        user_data=person(registration),
        consent=registration.consent,
        custom_data=CustomData(
            value=float(payment.amount),
            currency=payment.currency,
            content_name=course.title if course else None,
            content_category=course.category if course else None,
            content_ids=[registration.course_id],
            content_type="product",
            num_items=1,
            order_id=registration.registration_id,
        ).to_wire(),
    )
