"""What a notice of any payment provider says, once it is known to be genuine. Values only; nobody's name in a repr."""

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

Mode = Literal["live", "test"]


class Money(msgspec.Struct, frozen=True):
    """In the currency's major unit; ISO 4217 in capitals. `amount` is None where it is not known, and `problem` says
    why: a unit is never guessed."""

    amount: Decimal | None
    currency: str
    problem: str | None = None


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Who paid, as the provider knows them."""

    email: str | None = None
    phone: str | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    external_id: str | None = None
    lead_id: str | None = None

    def __repr__(self) -> str:
        return f"Customer({', '.join(name for name in self.__struct_fields__ if getattr(self, name))})"


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the shop gave along of the visitor's browser (metadata, note attributes), in Meta's own names."""

    fbp: str | None = None
    fbc: str | None = None
    client_ip_address: str | None = None
    client_user_agent: str | None = None
    event_source_url: str | None = None
    consent: Literal["granted", "denied"] | None = None

    def __repr__(self) -> str:
        return f"Context({', '.join(name for name in self.__struct_fields__ if getattr(self, name))})"


class Line(msgspec.Struct, frozen=True):
    """One position of an order; `price` of a single piece, in the major unit."""

    id: str
    quantity: int = 1
    price: Decimal | None = None
    title: str | None = None


NOBODY, NO_CONTEXT = Customer(), Context()


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money that went back. `payments`: the ids under which the payment may be known, the surest first."""

    provider: str
    refund_id: str
    payments: tuple[str, ...]
    order_key: str | None = None
    """Where the notice itself names the order."""
    money: Money
    at: int | None
    kind: Literal["refund", "chargeback"] = "refund"
    mode: Mode = "live"


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """What `Payment` and `Renewal` share."""

    provider: str
    webhook_id: str
    """The provider's id of this notice; the same on every redelivery, where the provider has one."""
    payment_id: str
    """The provider's own id of what was paid: the same in every notice about it."""
    order_key: str
    """What the shop calls it, from the configured place; else `payment_id`."""
    money: Money
    paid_at: int | None
    """Unix seconds; None where the notice has no time."""
    also: tuple[str, ...] = ()
    """Other ids of the provider's under which a later notice (a refund, a renewal) may name this payment."""
    subscription: str | None = None
    customer: Customer = NOBODY
    lines: tuple[Line, ...] = ()
    context: Context = NO_CONTEXT
    of_order: str | None = None
    """Of a renewal: the order that the subscription began with, where the notice says it. Of a further payment of an
    order: that order."""
    refunds: tuple[Refund, ...] = ()
    """What went back since, where one notice tells of both."""
    mode: Mode = "live"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(provider={self.provider!r}, payment_id={self.payment_id!r})"


class Payment(Paid, frozen=True, kw_only=True):
    """Money for an order, or for the start of a subscription. Zero where the order was free."""


class Renewal(Paid, frozen=True, kw_only=True):
    """Money for a subscription's next period; `payment_id` is the invoice's."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription began without money."""

    provider: str
    subscription: str
    order_key: str
    at: int | None
    currency: str | None = None
    customer: Customer = NOBODY
    context: Context = NO_CONTEXT
    mode: Mode = "live"

    def __repr__(self) -> str:
        return f"Trial(provider={self.provider!r}, subscription={self.subscription!r})"


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What a source of one's own says that is no payment: a lead's stage in a CRM, under the event name it is for."""

    provider: str
    event_name: str
    key: str
    at: int | None
    source: str
    """The CRM's name, sent as `lead_event_source`."""
    customer: Customer = NOBODY
    context: Context = NO_CONTEXT
    mode: Mode = "live"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing to count: one of the provider's ids is about another. Refunds will name the first, and the payment was
    told under the second."""

    provider: str
    payment: str
    of: str
    what: str
    why: str = "told_by_invoice"
    mode: Mode = "live"


class Pending(msgspec.Struct, frozen=True):
    """Genuine, and the money has not come; another notice will say when it has."""

    why: str
    what: str = ""


class Ignored(msgspec.Struct, frozen=True):
    """Genuine, and nothing to count; a repeat changes nothing. `why` is a stable word, `what` the notice's type."""

    why: str
    what: str = ""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """The notice only names what changed: the door asks the provider for `path`, and reads that with `read_answer`."""

    provider: str
    path: str
    """On the provider's own host, which is a constant: a notice never chooses where our key is sent."""
    what: str
    webhook_id: str = ""
    at: int | None = None
    context: str = ""
    """The account at the provider that the object belongs to, where it is not the key's own."""
    mode: Mode = "live"


Notice: TypeAlias = Payment | Renewal | Refund | Trial | Stage | Link | Pending | Ignored | Ask
