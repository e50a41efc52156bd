"""What a provider is answered. The table with its reasons: docs/payments.md, docs/adr/0018.

A provider repeats a notice until it hears a 2xx, for days, and switches the endpoint off when it never does. So the
status is chosen by one question: would the same notice fare better later?
- 200: what was counted, and everything genuine that a repeat cannot mend: not ours, not paid yet, a test, a unit that
  is not known. Why nothing was counted is in the answer, in the log and in a counter, so that nobody has to guess.
- 400: not the provider's bytes, or no JSON. 404: no such provider here, no secret for it, no key to ask it with. 413:
  too long.
- 409 and 503: it will fare better. The order is not there yet, the outbox cannot commit, the provider was asked back
  and was silent.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec

from conversion_relay.errors import InvalidEvent, OutboxUnavailable, SignatureError, leaves_no_variables
from conversion_relay.event import Event, UserData, present
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.payments import Notice
from conversion_relay.payments.events import Counted, event_of, uncounted
from conversion_relay.payments.notice import Ask, Ignored, Link, Payment, Pending, Refund, Renewal, Stage, Trial
from conversion_relay.payments.signature import hash_of
from conversion_relay.relay import Relay, Tracked
from conversion_relay.telemetry import Counters, logger
from conversion_relay.webhooks.answers import Answered, WebhookAnswer, again, kind_shown, quiet, refused, taken
from conversion_relay.webhooks.asking import Asking, Unreachable
from conversion_relay.webhooks.genuine import Notices, Secrets, Sent
from conversion_relay.webhooks.memory import Memory

MOST_BYTES = 1_048_576
LONGEST_MEMORY = 80 * 86_400
AHEAD_SECONDS = 60
YOUNG_SECONDS = 3_600
"""For so long after a notice was made, what it is about may still be on its way to us."""
_NO_KEY = (
    "the notice only names what changed, and the provider is asked with its API key: set STRIPE_API_KEY or"
    " MOLLIE_API_KEY, of live mode for live payments, then send it again"
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a shop knows of an order that the provider does not."""

    user_data: UserData
    facts: RequestFacts = NO_FACTS
    consent: Literal["granted", "denied"] | None = None
    url: str | None = None
    custom_data: dict[str, Any] = {}


class Orders(Protocol):
    """The shop's own orders, where they are known: then a payment for another order is not ours."""

    def find(self, key: str) -> Order | None: ...

    def may_appear(self, key: str) -> bool:
        """Whether an unknown order could be one that is being written now."""

    def fulfil(self, key: str, paid_at: int) -> bool:
        """The money is there, or none was due. False when it was fulfilled before."""


class Webhooks:
    """Answers every notice. Safe to use from several threads; each call waits for its commit. Over 150 lines: the way
    of a notice through the door in one place, one short method for each turn that it can take."""

    def __init__(
        self,
        relay: Relay,
        counters: Counters | None = None,
        *,
        orders: Orders | None = None,
        secrets: Secrets | None = None,
        asking: Asking | None = None,
        clock: Callable[[], float] = lambda: time.time(),  # noqa: PLW0108 - freezegun replaces it
    ) -> None:
        self._relay, self._counters, self._orders = relay, counters or Counters(), orders
        self._notices, self._clock = Notices(relay, secrets, asking, clock), clock
        self._memory = Memory(relay, clock)

    @leaves_no_variables
    def answer(
        self, provider: str, raw: bytes, headers: Mapping[str, str], *, query: str = "", network: str = ""
    ) -> WebhookAnswer:
        """`raw`: the body as it came. `headers` by names in any case. `query`: what stands behind the `?` of the
        address, where some senders sign. `network`: whose line it came by, so that nobody takes all the places for
        notices that have us ask. Raises nothing that a notice could cause; TypeError for a body that was read as
        JSON or as a text already, and for headers that are no mapping of texts."""
        _refuse_misuse(raw, headers)
        given = {name.lower(): value for name, value in headers.items()}
        said, why = self._answer(provider, Sent(raw, given, query, network))
        known = provider if self._notices.is_known(provider) else "unknown"
        self._counters.add("relay_webhooks_total", provider=known, code=str(said.status), reason=why)
        if said.uncounted is not None:
            about = {"provider": known, "reason": why, "kind": said.uncounted}
            logger.info("A payment notice was not counted", extra=about)
        return self._worded(provider, said)

    def tried(self, provider: str) -> WebhookAnswer:
        """To a GET or HEAD: some senders try the address so before they take it, and want a 2xx."""
        said = self._notices.not_taken(provider)
        return said[0] if said else self._worded(provider, WebhookAnswer(200, {"message": "ready"}))

    def _worded(self, provider: str, said: WebhookAnswer) -> WebhookAnswer:
        word = self._notices.word_for_received(provider) if said.status == 200 else ""
        return msgspec.structs.replace(said, text=word) if word else said

    def _answer(self, provider: str, sent: Sent) -> Answered:
        if len(sent.raw) > MOST_BYTES:
            return refused(413, "too_large", "body", f"send at most {MOST_BYTES} bytes")
        if not_taken := self._notices.not_taken(provider):
            return not_taken
        try:
            return self._heard(self._notices.read(provider, sent))
        except (SignatureError, InvalidEvent) as error:
            logger.warning("A webhook was refused", extra={"provider": provider, "reason": error.reason})
            return refused(400, error.reason, error.field, getattr(error, "message", str(error)))
        except OutboxUnavailable as error:
            about = {"provider": provider, "reason": str(error)}
            logger.error("A payment notice could not be stored: %s", error, extra=about)
            return again("not_durable", "nothing could be stored now")
        except Unreachable as error:
            logger.error("A provider did not answer", extra={"provider": provider, "reason": error.why})
            return again("provider_silent", "the provider was asked about this notice and did not answer")

    def _heard(self, notice: Notice) -> Answered:
        match notice:
            case Pending(why=why, what=what):
                return quiet("pending", why, what)
            case Ask():
                return self._unasked(notice)
            case Ignored(why=why, what=what):
                return quiet("ignored", why, what)
            case Link():
                if self._relay.settings.payments.terms.refunds == "event":
                    self._memory.link(notice)
                return quiet("ignored", notice.why, notice.what)
            case Payment() if self._orders is not None:
                return self._ordered(self._orders, notice)
            case Renewal() | Trial() | Stage() if self._orders is not None:
                return quiet("ignored", "not_ours", "")
            case Payment() | Renewal() if notice.refunds:
                return self._with_refunds(notice)
            case _:
                return self._counted(notice)

    def _with_refunds(self, paid: Payment | Renewal) -> Answered:
        """The answer is about the payment; it waits for the refunds, too."""
        said = self._counted(paid)
        if paid.paid_at is None or self._clock() - paid.paid_at > LONGEST_MEMORY:
            return said  # so old that nobody knows any more which of its refunds were told
        for refund in paid.refunds:
            back, why = self._counted(msgspec.structs.replace(refund, mode=paid.mode))
            if back.status != 200:
                return back, why
        return said

    def _unasked(self, notice: Ask) -> Answered:
        """There is no key to ask the provider with. It repeats the notice for days, in which one can be set."""
        if notice.mode == "test" and self._relay.settings.payments.terms.tests == "ignore":
            return quiet("ignored", "test_payment", notice.what)
        logger.error(
            "A payment notice was not read", extra={"reason": "needs_api_key", "kind": kind_shown(notice.what)}
        )
        return refused(404, "needs_api_key", "provider", _NO_KEY)

    def _counted(self, notice: Counted, order: Order | None = None) -> Answered:
        terms = self._relay.settings.payments.terms
        why = uncounted(notice, terms)
        if not why and isinstance(notice, Payment) and order is None:
            notice = self._memory.told_apart(notice, terms)
            why = uncounted(notice, terms)  # it may be a renewal now
        if why:
            if why == "free":
                self._memory.keep(notice, terms)  # of a subscription that costs nothing yet, this names the visit
            return quiet("ignored", why, type(notice).__name__.lower())
        original = None
        if isinstance(notice, Refund):
            original = self._memory.paid_under(notice)
            if original is None and not notice.order_key:
                # By when it was first told: a chargeback's own time may be that of a payment of weeks ago.
                told = self._memory.first_seen(notice.provider, notice.refund_id)
                if self._memory.is_there and self._is_young(told):
                    return again("payment_unknown", "the payment's own notice has not come")
                return quiet("ignored", "payment_unknown", "refund")
        notice = self._with_a_time(notice)
        self._memory.keep(notice, terms)
        facts = order.facts if order else self._memory.facts_of(notice, original.order_key if original else None)
        event = event_of(notice, facts, terms, self._clock(), original)
        if order is not None:
            _complete(event, order)
        try:
            is_test = notice.mode == "test" and terms.tests == "test_code"
            tracked = self._tracked(event, facts, is_test=is_test)
        except InvalidEvent as error:
            return quiet("ignored", error.reason, type(notice).__name__.lower(), field=error.field)
        return taken(tracked)

    def _tracked(self, event: Event, facts: RequestFacts, *, is_test: bool) -> Tracked:
        # All that is true of the visit stands in the event; of the facts only the visitor's choice is left.
        given = RequestFacts(consent=facts.consent, gpc=facts.gpc)
        try:
            return self._relay.track(event, given, is_test=is_test)
        except InvalidEvent as error:
            if error.reason != "too_broad" or event.user_data is None:
                raise
            # An e-mail that is none, a town alone: nobody is found by that, and it was paid all the same.
            event.user_data.external_id = hash_of(event.event_id)
            return self._relay.track(event, given, is_test=is_test)

    def _ordered(self, orders: Orders, payment: Payment) -> Answered:
        terms = self._relay.settings.payments.terms
        if payment.mode == "test" and terms.tests == "ignore":
            return quiet("ignored", "test_payment", "payment")
        order = orders.find(payment.order_key)
        if order is None:
            if orders.may_appear(payment.order_key) and self._is_young(payment.paid_at):
                return refused(409, "unknown_order", "order", "no order has this id yet; send it again", retry_after=60)
            return quiet("ignored", "not_ours", "payment")
        answer, why = self._counted(payment, order)
        if answer.status != 200:
            return answer, why
        # Only now: a crash before this line is mended by the notice's redelivery, which is a duplicate in the outbox.
        first = orders.fulfil(payment.order_key, payment.paid_at or int(self._clock()))
        body = {**answer.body, "message": "paid" if first else "duplicate"}
        return msgspec.structs.replace(answer, body=body), why

    def _with_a_time(self, notice: Counted) -> Counted:
        """What has no time happened when it was first told. So did what is said to be still to come: a local time that
        is written without its zone, or our own clock that is late."""
        match notice:
            case Payment() | Renewal():
                member, moment, name = "paid_at", notice.paid_at, notice.payment_id
            case Refund():
                member, moment, name = "at", notice.at, notice.refund_id
            case Trial():
                member, moment, name = "at", notice.at, notice.subscription
            case Stage():
                member, moment, name = "at", notice.at, f"{notice.key}:{notice.event_name}"
        if moment is not None and moment <= self._clock() + AHEAD_SECONDS:
            return notice
        return msgspec.structs.replace(notice, **{member: self._memory.first_seen(notice.provider, name)})

    def _is_young(self, moment: int | None) -> bool:
        return moment is not None and abs(self._clock() - moment) < YOUNG_SECONDS


def _complete(event: Event, order: Order) -> None:
    """The shop's own word outranks the provider's."""
    for name in present(order.user_data):
        setattr(event.user_data, name, getattr(order.user_data, name))
    event.consent = order.consent or event.consent
    event.custom_data = {**(event.custom_data or {}), **order.custom_data}
    if order.url:
        event.action_source, event.event_source_url = "website", order.url


def _refuse_misuse(raw: object, headers: object) -> None:
    """A program's mistake, told as one: as a signature that is missing or wrong it would be looked for at the provider.
    Frameworks' headers need be no `Mapping`."""
    if not isinstance(raw, bytes | bytearray | memoryview):
        given = type(raw).__name__
        raise TypeError(f"answer takes the body as it came, in bytes, not {given}: the signature is over these bytes")
    items = getattr(headers, "items", None)
    if items is None or not all(isinstance(name, str) and isinstance(value, str) for name, value in items()):
        raise TypeError("answer takes the headers as a mapping of texts, such as request.headers")
