"""From a notice to Meta's event: which name and id it has, whose it is, and from where it came.

What could go wrong, and the rule against it:
- Somebody is counted twice. The event id is made of the order's key alone, never of the notice's, so every notice about
  one order, and the browser's copy, carry one id: `purchase_<order key>`, `renewal_<invoice>`, `trial_<subscription>`,
  `refund_<refund>`.
- `action_source: website` is said of a visit that nobody saw. It is said where the visitor's browser and page are known
  (remembered, or given along at checkout); else the honest word is `other`, and `system_generated` for what happens by
  itself. https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event
- A refund makes a negative Purchase, which Meta's bidding cannot use. It is an event of its own name, with a positive
  value, and `original_event_data` says which Purchase it is about.
- An old click is claimed for a renewal. Meta counts a click for 90 days; an older `fbc` is left out.
"""

import re
from typing import Any, Literal

import msgspec

from conversion_relay.event import Content, CustomData, Event, UserData, present
from conversion_relay.event_id import for_purchase
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.payments.notice import (
    NO_CONTEXT,
    Context,
    Customer,
    Money,
    Paid,
    Payment,
    Refund,
    Renewal,
    Stage,
    Trial,
)
from conversion_relay.payments.whole_name import parts_of

CLICK_SECONDS = 90 * 86_400
Counted = Payment | Renewal | Refund | Trial | Stage


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator wants counted."""

    tests: Literal["ignore", "test_code", "send"] = "ignore"
    """RELAY_TEST_PAYMENTS; `test_code`: sent, since the dataset has a test event code."""
    first: Literal["Purchase", "Subscribe"] = "Purchase"
    """RELAY_SUBSCRIPTIONS: the name of a subscription's first payment."""
    refunds: Literal["ignore", "event"] = "ignore"
    """RELAY_REFUNDS"""
    renewals: Literal["send", "ignore"] = "send"
    """RELAY_RENEWALS"""
    free: Literal["ignore", "send"] = "ignore"
    """RELAY_FREE_ORDERS: an order of nothing, by a coupon or a trial."""


class Original(msgspec.Struct, frozen=True):
    """The Purchase that a refund is about."""

    order_key: str
    paid_at: int | None = None
    event_name: str | None = None
    event_id: str | None = None
    """Both None for a Purchase under the order's own name."""


def uncounted(notice: Counted, terms: Terms) -> str | None:
    """Why the operator's terms leave this one out; None where it counts."""
    if notice.mode == "test" and terms.tests == "ignore":
        return "test_payment"
    match notice:
        case Refund() if terms.refunds == "ignore":
            return "refunds_ignored"
        case Renewal() if terms.renewals == "ignore":
            return "renewals_ignored"
        case Payment() | Renewal() | Refund() if notice.money.amount is None:
            return notice.money.problem
        case Payment() | Renewal() if notice.money.amount == 0 and terms.free == "ignore":
            return "free"
        case _:
            return None


def keys_of_visit(notice: Counted) -> list[str]:
    """The keys under which the visitor may be known, the surest first: the order, the provider's ids, the person."""
    keys: list[str | None] = []
    match notice:
        case Payment() | Renewal():
            keys = [notice.order_key, notice.of_order, notice.payment_id, notice.subscription, *notice.also]
        case Trial():
            keys = [notice.order_key, notice.subscription]
        case Stage():
            keys = [notice.key]
        case Refund():
            keys = [notice.order_key, *notice.payments]
    customer = getattr(notice, "customer", None)
    if customer is not None:
        keys += [customer.email]
        if not _may_be_an_order(customer.external_id, keys[0]):
            keys += [customer.external_id]
    return list(dict.fromkeys(one for one in keys if one))


def _may_be_an_order(customer: str | None, order: str | None) -> bool:
    """Customer 300 and order 300 of one shop are two people. Where both are counted from one, nothing tells under which
    of them a visit was remembered, and somebody else's click, or their refusal, would be joined."""
    return all(re.fullmatch(r"[0-9]{1,9}", one or "", re.ASCII) for one in (customer, order))


def event_of(notice: Counted, facts: RequestFacts, terms: Terms, now: float, original: Original | None = None) -> Event:
    """`facts`: of the visit behind it, as far as known. `now` in Unix seconds. `original`: for a refund.

    >>> from decimal import Decimal
    >>> paid = Payment(provider="stripe", webhook_id="evt_1", payment_id="pi_1", order_key="1001",
    ...                money=Money(Decimal("49.90"), "EUR"), paid_at=1790000000)
    >>> event = event_of(paid, RequestFacts(), Terms(), 1790000009.0)
    >>> event.event_id, event.action_source, event.custom_data["value"]
    ('purchase_1001', 'other', 49.9)
    """
    match notice:
        case Renewal():
            event = _sale("Purchase", renewal_id(notice), notice)
        case Payment():
            event = _sale(name_of(notice, terms), for_purchase(notice.order_key), notice)
        case Trial():
            custom = CustomData(value=0.0, currency=notice.currency) if notice.currency else CustomData()
            event = _event("StartTrial", f"trial_{notice.subscription}", notice.at, custom)
        case Stage():
            event = _event(notice.event_name, f"stage_{notice.key}_{_slug(notice.event_name)}", notice.at, CustomData())
            event.custom_data = {"event_source": "crm", "lead_event_source": notice.source}
        case Refund():
            event = _refund(notice, original or Original(notice.order_key or notice.payments[0]))
    context: Context = getattr(notice, "context", NO_CONTEXT)
    # What a checkout wrote down is not the visitor's last word: a refusal on the page holds until they agree there.
    event.consent = "denied" if facts.consent == "denied" else context.consent or event.consent
    _from(event, notice, facts, context, now)
    return event


def name_of(paid: Payment, terms: Terms) -> str:
    return terms.first if paid.subscription else "Purchase"


def renewal_id(renewal: Renewal) -> str:
    return f"renewal_{renewal.payment_id}"


def _sale(name: str, event_id: str, paid: Paid) -> Event:
    custom = CustomData(value=_value(paid.money), currency=paid.money.currency, order_id=paid.order_key)
    if paid.lines:
        custom.content_type = "product"
        custom.content_ids = [line.id for line in paid.lines]
        custom.num_items = sum(line.quantity for line in paid.lines)
        custom.contents = [
            Content(
                id=line.id,
                quantity=line.quantity,
                item_price=None if line.price is None else round(float(line.price), 4),
                title=line.title,
            )
            for line in paid.lines
        ]
    return _event(name, event_id, paid.paid_at, custom)


def _refund(refund: Refund, original: Original) -> Event:
    custom = CustomData(value=_value(refund.money), currency=refund.money.currency, order_id=original.order_key)
    event = _event("Refund", f"refund_{refund.refund_id}", refund.at, custom)
    event.custom_data = {**(event.custom_data or {}), "refund_kind": refund.kind}
    about: dict[str, Any] = {"event_name": original.event_name or "Purchase", "event_time": original.paid_at}
    about |= {"order_id": original.order_key, "event_id": original.event_id or for_purchase(original.order_key)}
    event.original_event_data = {name: value for name, value in about.items() if value is not None}
    return event


def _event(name: str, event_id: str, moment: int | None, custom: CustomData) -> Event:
    wire = custom.to_wire()
    for line in wire.get("contents", ()):
        line.setdefault("quantity", 1)  # Meta wants it written
    return Event(event_name=name, event_id=event_id, event_time=moment, custom_data=wire or None)


def _value(money: Money) -> float:
    return float(money.amount or 0)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name)[:60]


def _from(event: Event, notice: Counted, facts: RequestFacts, context: Context, now: float) -> None:
    """Whose event it is, and the action source that is true of it."""
    url = context.event_source_url or facts.url
    agent = context.client_user_agent or facts.client_user_agent
    person = _person(getattr(notice, "customer", None))
    person.client_ip_address = context.client_ip_address or facts.client_ip_address
    person.client_user_agent = agent
    person.fbp = context.fbp or facts.fbp
    person.fbc = _young_click(context.fbc or facts.fbc, now)
    if not present(person):
        # Some providers name nobody. Money that nobody is matched with is still money, and Meta wants one match key.
        person.external_id = event.event_id
    event.user_data = person
    if isinstance(notice, Renewal | Stage):
        event.action_source = "system_generated"
    elif agent and url:
        event.action_source, event.event_source_url = "website", url
    else:
        event.action_source = "other"


def _person(customer: Customer | None) -> UserData:
    if customer is None:
        return UserData()
    given: dict[str, Any] = msgspec.structs.asdict(customer)
    name = given.pop("name")
    if name and not (given["first_name"] or given["last_name"]):
        given["first_name"], given["last_name"] = parts_of(name)
    return UserData(**given)


def _young_click(fbc: str | None, now: float) -> str | None:
    """https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc: the third segment is
    when the click was seen, in milliseconds."""
    parts = (fbc or "").split(".")
    if len(parts) > 3 and re.fullmatch(r"[0-9]{10,16}", parts[2], re.ASCII):
        seen = int(parts[2]) / (1000 if len(parts[2]) > 10 else 1)
        return fbc if now - seen <= CLICK_SECONDS else None
    return fbc
