"""What is remembered between two notices: whose order it was, and which order a provider's id stands for.

A refund names a payment and not the order; a renewal names a subscription and not the click that brought the customer.
Both come weeks later. So the first payment leaves behind, under the provider's own ids, the order's key and nothing of
a person; the visit itself stands under the order's key, where `POST /visitors` put it and where an erasure finds it.

Remembered is what somebody will ask for: first payments, and renewals where refunds are sent. An outbox that is only a
queue (SQS) remembers nothing; renewals then go without a click, refunds are not sent, and what has the name of an order
that was counted is its duplicate.
"""

from collections.abc import Callable

import msgspec

from conversion_relay.event_id import without_email
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.visit import LONGEST_KEY, OF_NOTICES, Visit
from conversion_relay.outbox import Visits
from conversion_relay.payments.events import Counted, Original, Terms, keys_of_visit, name_of, renewal_id
from conversion_relay.payments.notice import (
    NO_CONTEXT,
    NOBODY,
    Context,
    Customer,
    Link,
    Paid,
    Payment,
    Refund,
    Renewal,
    Trial,
)
from conversion_relay.payments.reading import LONGEST_KEY as LONGEST_ORDER_KEY
from conversion_relay.payments.signature import hash_of
from conversion_relay.relay import Relay

NOTHING = "-"
"""Stands for the subscription of a payment that has none."""
RENUMBERED = ("woocommerce", "shopify")
"""Shops in which a plugin or an app may give an order its number, or a note, after it was paid."""


class Memory:
    """Of one relay's outbox."""

    def __init__(self, relay: Relay, clock: Callable[[], float]) -> None:
        self._relay, self._clock = relay, clock

    @property
    def is_there(self) -> bool:
        return isinstance(self._relay.outbox, Visits)

    def facts_of(self, notice: Counted, also: str | None = None) -> RequestFacts:
        """The visit behind a notice; `also`: another key under which it may be."""
        keys = keys_of_visit(notice)
        customer: Customer = getattr(notice, "customer", NOBODY)
        people = {customer.email, customer.external_id} - {*keys[:1], *getattr(notice, "also", ())}
        ids = [key for key in keys if key not in people]  # under these alone something is kept
        if self._was_refused(notice, [*ids, *([also] if also else [])]):
            return RequestFacts(consent="denied")
        # All of them: a renewal's own id, once it is kept, stands for itself, and the subscription's for the order.
        orders = [found.order_key for key in ids if (found := self.original(notice.provider, key))]
        return self._relay.facts_under(key[:LONGEST_KEY] for key in dict.fromkeys([*keys, *orders, also]) if key)

    def _was_refused(self, notice: Counted, keys: list[str]) -> bool:
        """Whether an earlier notice about this payment or subscription said no, and this one says nothing: a checkout's
        metadata stands neither on the renewals nor on the refund."""
        context: Context = getattr(notice, "context", NO_CONTEXT)
        outbox, now = self._relay.outbox, self._clock()
        if context.consent is not None or not isinstance(outbox, Visits):
            return False
        return any(outbox.visitor(_key(notice.provider, f"refused:{key}"), now) for key in keys)

    def original(self, provider: str, payment: str) -> Original | None:
        """The order that a provider's id stands for. Looked up in any case: `has_visitors` is for event loops, and what
        another process has just written it may hear of a second later."""
        outbox = self._relay.outbox
        if not isinstance(outbox, Visits):
            return None
        visit = outbox.visitor(_key(provider, payment), self._clock())
        if visit is None or not visit.order_key:
            return None
        return Original(visit.order_key, visit.paid_at, visit.event_name, visit.event_id)

    def first_seen(self, provider: str, name: str) -> int:
        """When something without a time of its own was first told of: so that what is told again after weeks, when the
        outbox no longer knows its id, has not happened anew."""
        outbox, now = self._relay.outbox, self._clock()
        if not isinstance(outbox, Visits):
            return int(now)
        key = _key(provider, f"seen:{name}")
        if (visit := outbox.visitor(key, now)) and visit.paid_at:
            return visit.paid_at
        outbox.remember_visitor(key, Visit(for_long=True, paid_at=int(now)), now)
        return int(now)

    def told_apart(self, paid: Payment, terms: Terms) -> Payment | Renewal:
        """One order can be paid in parts (a shipment each, a gift card and a card, instalments), and what a shop gives
        as its reference may be a customer's id, or another shop's order. The first payment has the order's own name,
        since the page's copy has it; each further one has a name of its own, and of a subscription it is a renewal. The
        first writer wins, so that all notices of one payment, however many at once, tell the same."""
        if not self.is_there:
            return paid
        if paid.subscription and not self._is_first(paid, f"begun:{paid.subscription}"):
            given = {name: getattr(paid, name) for name in Renewal.__struct_fields__}
            return Renewal(**given | {"order_key": paid.payment_id, "of_order": paid.order_key})
        return self._as_first_told(self._of_its_order(paid), terms)

    def _of_its_order(self, paid: Payment) -> Payment:
        if paid.order_key == paid.payment_id or self._is_first(paid, f"order:{paid.order_key}"):
            return paid
        known = self.original(paid.provider, paid.payment_id)
        if known and known.order_key == without_email(paid.order_key):
            return paid  # the same payment, under the id that another kind of notice gave to it
        further = f"{paid.order_key}_{paid.payment_id}"
        if len(further) > LONGEST_ORDER_KEY:
            further = hash_of(paid.order_key, paid.payment_id)
        return msgspec.structs.replace(paid, order_key=further, of_order=paid.order_key)

    def _as_first_told(self, paid: Payment, terms: Terms) -> Payment:
        """A later notice of one payment may know more: a plugin numbers the order after it was paid, another kind of
        notice holds the reference, or the subscription. Under a new name the payment would count again."""
        called = without_email(paid.order_key)
        name = self._first_word(paid, f"called:{paid.payment_id}", called)
        # Two references that the shop gave stay two orders, except where it gives an order its number later.
        ours = {paid.payment_id, *paid.also}
        if name != called and (paid.provider in RENUMBERED or not ours.isdisjoint((name, called))):
            paid = msgspec.structs.replace(paid, order_key=name, of_order=paid.order_key)
        if terms.first != "Purchase":
            word = self._first_word(paid, f"begins:{paid.payment_id}", paid.subscription or NOTHING)
            paid = msgspec.structs.replace(paid, subscription=None if word == NOTHING else word)
        return paid

    def _is_first(self, paid: Payment, name: str) -> bool:
        ours = without_email(paid.payment_id)
        return self._first_word(paid, name, ours) in (ours, *map(without_email, paid.also))

    def _first_word(self, paid: Payment, name: str, word: str) -> str:
        """What was written under this name first, by whomever; `word` is written where nothing is."""
        outbox, now, word = self._relay.outbox, self._clock(), without_email(word)
        if not isinstance(outbox, Visits):
            return word
        key = _key(paid.provider, f"{paid.mode}:{name}")
        first = outbox.visitor(key, now)
        if first is None:
            outbox.remember_visitor(key, Visit(for_long=True, order_key=word), now)
            first = outbox.visitor(key, now)
        return (first and first.order_key) or word

    def paid_under(self, refund: Refund) -> Original | None:
        """The payment that this money comes back of, by any of its ids, or by what a `Link` said of them."""
        for name in refund.payments:
            if found := self.original(refund.provider, name):
                return found
            if (link := self.original(refund.provider, f"link:{name}")) and (
                found := self.original(refund.provider, link.order_key)
            ):
                return found
        return None

    def link(self, link: Link) -> None:
        outbox = self._relay.outbox
        if isinstance(outbox, Visits):
            visit = Visit(for_long=True, order_key=link.of)
            outbox.remember_visitor(_key(link.provider, f"link:{link.payment}"), visit, self._clock())

    def keep(self, notice: Counted, terms: Terms) -> None:
        """Before the event is put: a crash between the two is mended by the notice's redelivery."""
        outbox = self._relay.outbox
        if not isinstance(outbox, Visits):
            return
        if not isinstance(notice, Payment | Renewal | Trial):
            return
        ids = [notice.subscription] if isinstance(notice, Trial) else _ids(notice)
        if notice.context.consent == "denied":
            refusal = Visit(consent="denied", for_long=True)
            for one in (*ids, without_email(notice.order_key)):
                outbox.remember_visitor(_key(notice.provider, f"refused:{one}"), refusal, self._clock())
        if isinstance(notice, Trial) and notice.order_key == notice.subscription:
            return  # it names no order, and must not take the place of the notice that will
        if isinstance(notice, Renewal) and terms.refunds != "event":
            return
        paid_at = None if isinstance(notice, Trial) else notice.paid_at
        visit = Visit(
            for_long=True,
            order_key=without_email(notice.order_key),
            paid_at=paid_at,
            event_name=name_of(notice, terms) if isinstance(notice, Payment) and terms.first != "Purchase" else None,
            event_id=without_email(renewal_id(notice)) if isinstance(notice, Renewal) else None,
        )
        for one in ids:
            outbox.remember_visitor(_key(notice.provider, one), visit, self._clock())


def _ids(paid: Paid) -> list[str]:
    # A renewal must not take the subscription's name away from its first order.
    also = paid.also if isinstance(paid, Payment) else [one for one in paid.also if one != paid.subscription]
    return list(dict.fromkeys([paid.payment_id, *also]))


def _key(provider: str, payment: str) -> str:
    """Nobody's visit is kept under such a key (`kept_under`)."""
    return without_email(f"{provider}{OF_NOTICES}{payment}")[:LONGEST_KEY]
