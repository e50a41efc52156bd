"""What a provider is answered. The table with its reasons: docs/payments.md, docs/adr/0018.

A provider repeats a notice until it hears a 2xx, for days, and switches the endpoint off when it never does. So the
status is chosen by one question: would the same notice fare better later?
- 200: what was counted, and everything genuine that a repeat cannot mend: not ours, not paid yet, a test, a unit that
  is not known. Why nothing was counted is in the answer, in the log and in a counter, so that nobody has to guess.
- 400: not the provider's bytes, or no JSON. 404: no such provider here, or no secret for it. 413: too long.
- 409 and 503: it will fare better. The order is not there yet, the outbox cannot commit, the provider was asked back
  and was silent.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Literal, Protocol

import msgspec

from conversion_relay.errors import InvalidEvent, OutboxUnavailable, SignatureError
from conversion_relay.event import Event, UserData, present
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.payments import NO_OPTIONS, PROVIDERS, Notice, read, read_answer, verify
from conversion_relay.payments.events import Counted, Original, event_of, uncounted
from conversion_relay.payments.notice import Ask, Ignored, Mode, Payment, Pending, Refund, Renewal, Stage, Trial
from conversion_relay.relay import Relay, Tracked
from conversion_relay.telemetry import Counters, logger
from conversion_relay.webhooks.asking import Asking, Unreachable
from conversion_relay.webhooks.memory import Memory

MOST_BYTES = 1_048_576
YOUNG_SECONDS = 3_600
"""For so long after a notice was made, what it is about may still be on its way to us."""


class WebhookAnswer(msgspec.Struct, frozen=True):
    """`body` becomes JSON."""

    status: int
    body: dict[str, str]
    headers: dict[str, str] = {}


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


class Secrets(Protocol):
    """What vouches for a provider's notices, where it is kept elsewhere than in the settings."""

    def of(self, provider: str) -> Sequence[str]: ...

    def renewed(self, provider: str) -> bool:
        """Asked when a signature did not fit: whether `of` gives other secrets now."""


class InSettings:
    """Secrets of the settings; they change with a restart."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def of(self, provider: str) -> Sequence[str]:
        return [secret.reveal() for secret in self._relay.settings.webhook_secrets.get(provider, ())]

    def renewed(self, provider: str) -> bool:
        return False


class Webhooks:
    """Answers every notice. Safe to use from several threads; each call waits for its commit."""

    def __init__(
        self,
        relay: Relay,
        counters: Counters | None = None,
        *,
        orders: Orders | None = None,
        secrets: Secrets | None = None,
        asking: Asking | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._relay, self._counters, self._orders = relay, counters or Counters(), orders
        self._secrets, self._asking, self._clock = secrets or InSettings(relay), asking or Asking(), clock
        self._memory = Memory(relay, clock)

    def answer(self, provider: str, raw: bytes, headers: Mapping[str, str]) -> WebhookAnswer:
        """`headers` with lower-case names. Raises nothing that a notice could cause."""
        said, why = self._answer(provider, raw, headers)
        known = provider if provider in PROVIDERS or provider in self._relay.settings.webhook_secrets else "unknown"
        self._counters.add("relay_webhooks_total", provider=known, code=str(said.status), reason=why)
        return said

    def _answer(self, provider: str, raw: bytes, headers: Mapping[str, str]) -> tuple[WebhookAnswer, str]:
        if len(raw) > MOST_BYTES:
            return _refused(413, "too_large", "body", f"send at most {MOST_BYTES} bytes")
        if provider not in PROVIDERS:
            return _refused(404, "unknown_provider", "provider", f"one of {', '.join(PROVIDERS)}")
        if not self._secrets.of(provider):
            return _refused(404, "not_configured", "provider", f"set {PROVIDERS[provider].setting}, then send it again")
        try:
            mode = self._verified(provider, raw, headers)
            return self._heard(self._read(provider, raw, mode))
        except (SignatureError, InvalidEvent) as error:
            logger.warning("A webhook was refused", extra={"provider": provider, "reason": error.reason})
            return _refused(400, error.reason, error.field, getattr(error, "message", str(error)))
        except OutboxUnavailable:
            return _again("not_durable", "nothing could be stored now")
        except Unreachable as error:
            logger.error("A provider did not answer", extra={"provider": provider, "reason": error.why})
            return _again("provider_silent", "the provider was asked about this notice and did not answer")

    def _verified(self, provider: str, raw: bytes, headers: Mapping[str, str]) -> Mode:
        try:
            return self._checked(provider, raw, headers)
        except SignatureError as error:
            if error.reason != "signature_wrong" or not self._secrets.renewed(provider):
                raise
            return self._checked(provider, raw, headers)

    def _checked(self, provider: str, raw: bytes, headers: Mapping[str, str]) -> Mode:
        secrets, more = self._secrets.of(provider), dict[str, Any]()
        if PROVIDERS[provider].certificates:
            module = import_module(f"conversion_relay.payments.{provider}")
            url, host = module.certificate_of(headers, secrets)
            more = {"certificate": self._asking.certificate(url), "host": host}
        return verify(provider, raw, headers, secrets, self._clock(), **more)

    def _read(self, provider: str, raw: bytes, mode: Mode) -> Notice:
        options = self._relay.settings.payments.options.get(provider, NO_OPTIONS)
        notice = read(provider, raw, options, mode)
        if not isinstance(notice, Ask):
            return notice
        keys = self._relay.settings.provider_keys.get(provider, ())
        if not keys:
            return Ignored("needs_api_key", notice.what, notice.mode)
        body = self._asking.answer(notice, PROVIDERS[provider].host, keys[0].reveal())
        return Ignored("gone", notice.what, notice.mode) if body is None else read_answer(notice, body, options)

    def _heard(self, notice: Notice) -> tuple[WebhookAnswer, str]:
        match notice:
            case Pending(why=why, what=what):
                return _quiet("pending", why, what)
            case Ignored(why=why, what=what):
                return _quiet("ignored", why, what)
            case Ask():
                return _quiet("ignored", "needs_api_key", notice.what)
            case Payment() if self._orders is not None:
                return self._ordered(self._orders, notice)
            case Renewal() | Trial() | Stage() if self._orders is not None:
                return _quiet("ignored", "not_ours", "")
            case _:
                return self._counted(notice)

    def _counted(self, notice: Counted, order: Order | None = None) -> tuple[WebhookAnswer, str]:
        terms = self._relay.settings.payments.terms
        if why := uncounted(notice, terms):
            return _quiet("ignored", why, type(notice).__name__.lower())
        original = None
        if isinstance(notice, Refund):
            original = self._original(notice)
            if original is None and not notice.order_key:
                if self._memory.is_there and self._is_young(notice.at):
                    return _again("payment_unknown", "the payment's own notice has not come")
                return _quiet("ignored", "payment_unknown", "refund")
        self._memory.keep(notice, terms)
        facts = order.facts if order else self._memory.facts_of(notice, original.order_key if original else None)
        event = event_of(notice, facts, terms, self._clock(), original)
        if order is not None:
            _complete(event, order)
        try:
            # All that is true of the visit stands in the event; of the facts only the visitor's choice is left.
            tracked = self._relay.track(event, RequestFacts(consent=facts.consent, gpc=facts.gpc))
        except InvalidEvent as error:
            return _quiet("ignored", error.reason, type(notice).__name__.lower(), field=error.field)
        return _taken(tracked)

    def _ordered(self, orders: Orders, payment: Payment) -> tuple[WebhookAnswer, str]:
        terms = self._relay.settings.payments.terms
        if payment.mode == "test" and terms.tests == "ignore":
            return _quiet("ignored", "test_payment", "payment")
        order = orders.find(payment.order_key)
        if order is None:
            if orders.may_appear(payment.order_key) and self._is_young(payment.paid_at):
                return _refused(409, "unknown_order", "order", "no order has this id yet; send it again", retry=True)
            return _quiet("ignored", "not_ours", "payment")
        answer, why = self._counted(payment, order)
        if answer.status != 200:
            return answer, why
        # Only now: a crash before this line is mended by the notice's redelivery, which is a duplicate in the outbox.
        first = orders.fulfil(payment.order_key, payment.paid_at or int(self._clock()))
        body = {**answer.body, "message": "paid" if first else "duplicate"}
        return msgspec.structs.replace(answer, body=body), why

    def _original(self, refund: Refund) -> Original | None:
        for name in refund.payments:
            if found := self._memory.original(refund.provider, name):
                return found
        return None

    def _is_young(self, moment: int | None) -> bool:
        return moment is not None and self._clock() - moment < YOUNG_SECONDS


def _complete(event: Event, order: Order) -> None:
    """The shop's own word outranks the provider's."""
    for name in present(order.user_data):
        setattr(event.user_data, name, getattr(order.user_data, name))
    event.consent = order.consent or event.consent
    event.custom_data = {**(event.custom_data or {}), **order.custom_data}
    if order.url:
        event.action_source, event.event_source_url = "website", order.url


def _taken(tracked: Tracked) -> tuple[WebhookAnswer, str]:
    body: dict[str, str] = {"message": tracked.state}
    if tracked.event_id:
        body["event_id"] = tracked.event_id
    return WebhookAnswer(200, body), tracked.state


def _quiet(message: str, why: str, what: str, **more: str) -> tuple[WebhookAnswer, str]:
    logger.info("A payment notice was not counted", extra={"reason": why, "kind": what[:100]})
    return WebhookAnswer(200, {"message": message, "reason": why, **more}), why


def _refused(status: int, reason: str, field: str, message: str, *, retry: bool = False) -> tuple[WebhookAnswer, str]:
    body = {"error": reason, "reason": reason, "field": field, "message": message}
    headers = {"X-Relay-Reason": reason} | ({"Retry-After": "60"} if retry else {})
    return WebhookAnswer(status, body, headers), reason


def _again(reason: str, message: str) -> tuple[WebhookAnswer, str]:
    answer, why = _refused(503, reason, "body", f"{message}; send it again")
    return msgspec.structs.replace(answer, headers={**answer.headers, "Retry-After": "5"}), why
