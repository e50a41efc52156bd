"""POST /payment-webhook and /webhooks/{provider}: somebody paid; the Purchase gets what the registration knows.

What a provider is answered, and when a payment counts, is decided in `conversion_relay.webhooks`. Here stands what only
this site knows: which registration an order's key names, and that a registration whose money came is fulfilled. As
Stripe's guide has it, an order is fulfilled unless it is unpaid, so one that cost nothing is, too:
https://docs.stripe.com/checkout/fulfillment
"""

import re
from collections.abc import Sequence

from conversion_relay import CustomData, RequestFacts
from conversion_relay.course_site.registration import person
from conversion_relay.course_site.shop import Shop
from conversion_relay.course_site.web import SiteAnswer, SiteRequest
from conversion_relay.webhooks import Order, Webhooks

# As `Shop.new_id` makes them: another shop's order on the same account has another form.
_OWN_ID = re.compile(r"[0-9a-f]{24}")


def payment_webhook(shop: Shop, request: SiteRequest, provider: str = "stripe") -> SiteAnswer:
    """Answers 200 only when the Purchase is durable; redelivered as often as the provider likes, it stays one."""
    if shop.webhooks is None:
        shop.webhooks = Webhooks(
            shop.relay, shop.counters, orders=Registered(shop), secrets=_Secrets(shop), clock=shop.clock
        )
    if request.method in ("GET", "HEAD"):
        said = shop.webhooks.tried(provider)
    else:
        query = request.url.partition("?")[2]
        said = shop.webhooks.answer(provider, request.body, request.headers, query=query)
    return SiteAnswer(said.status, dict(said.body), said.headers, text=said.text)


class Registered:
    """The registrations as the orders that a provider's notices are about."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def find(self, key: str) -> Order | None:
        registration = self._shop.registrations.find(key)
        if registration is None:
            return None
        course = self._shop.courses.get(registration.course_id)
        return Order(
            user_data=person(registration),
            facts=RequestFacts(gpc=registration.gpc),
            consent=registration.consent,
            url=registration.url,
            custom_data=CustomData(
                content_name=course.title if course else None,
                content_category=course.category if course else None,
                content_ids=[registration.course_id],
                content_type="product",
                num_items=1,
                order_id=key,
            ).to_wire(),
        )

    def may_appear(self, key: str) -> bool:
        """A store that is copied to several machines may not know a registration of this moment yet."""
        return _OWN_ID.fullmatch(key) is not None

    def fulfil(self, key: str, paid_at: int) -> bool:
        return self._shop.registrations.mark_paid(key, paid_at)


class _Secrets:
    """Those of the shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def of(self, provider: str) -> Sequence[str]:
        return self._shop.secrets_of(provider)

    def renewed(self, provider: str) -> bool:
        return self._shop.renew_secrets(provider)
