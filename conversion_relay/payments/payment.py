"""What a webhook of any payment provider says, once its signature is verified."""

from decimal import Decimal
from typing import Literal

import msgspec


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified webhook says was paid."""

    provider: str
    webhook_id: str
    """The provider's id of this notice; the same on every redelivery."""
    payment_id: str
    reference: str | None
    """What the shop gave along at checkout (Stripe: `client_reference_id`)."""
    amount: Decimal
    """In the currency's major unit."""
    currency: str
    """ISO 4217, capitals."""
    paid_at: int
    """Unix seconds."""
    email: str | None = None
    phone: str | None = None
    name: str | None = None
    livemode: bool = True

    def __repr__(self) -> str:
        return f"Payment(provider={self.provider!r}, payment_id={self.payment_id!r})"


class Ignored(msgspec.Struct, frozen=True):
    """A genuine webhook about something else than a payment; answered 200 and forgotten."""

    what: str


class Unpaid(msgspec.Struct, frozen=True):
    """A genuine webhook about a checkout whose money has not come."""

    status: Literal["unpaid", "no_payment_required"] | str
