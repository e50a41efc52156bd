"""What a shop calls an order, where it wrote more than that into the place of it.

What could go wrong: the place holds a document (`{"name": "...", "phone": "..."}` in PayPal's `custom_id`, a form's
text) or a person's name, and with the event's id it goes to Meta, into logs and into the outbox, where nothing is
hashed. So of a document its order's id counts, and what is no id stands as its digest: the same in every notice. A
platform may name a subscription so, too: by whose it is.
"""

import re
from typing import Any, TypeVar, cast

import msgspec

from conversion_relay.payments.notice import Paid, Refund, Stage, Trial
from conversion_relay.payments.reading import LONGEST_KEY, document_in, key
from conversion_relay.payments.signature import hash_of

_IDS = ("order_id", "orderId", "order", "order_number", "cart_id", "cart", "invoice_id", "reference", "id")
_NAMES = ("order_key", "of_order", "payment_id", "refund_id", "subscription")
T = TypeVar("T")


def with_order_names(notice: T) -> T:
    """The notice with names of orders alone."""
    changed: dict[str, Any] = {}
    for member in _NAMES if isinstance(notice, Paid | Refund | Trial) else ():
        if given := getattr(notice, member, None):
            changed[member] = order_name(given)
    if isinstance(notice, Refund):
        changed["payments"] = tuple(map(order_name, notice.payments))
    if isinstance(notice, Paid):
        changed["also"] = tuple(map(order_name, notice.also))
    if isinstance(notice, Stage):
        changed["key"] = order_name(notice.key)
    if isinstance(notice, Paid) and notice.refunds:
        changed["refunds"] = tuple(with_order_names(refund) for refund in notice.refunds)
    if all(getattr(notice, member) == value for member, value in changed.items()):
        return notice
    return cast("T", msgspec.structs.replace(cast("Any", notice), **changed))


def order_name(given: str) -> str:
    """
    >>> order_name("1001"), order_name('{"order_id": 1001, "name": "Ada"}'), order_name("order=7&name=Ada")
    ('1001', '1001', '7')
    >>> order_name("Ada Test") == order_name("Ada Test") != "Ada Test", order_name("Order 1001")
    (True, 'Order 1001')
    """
    if len(given) > LONGEST_KEY or not given.isprintable():
        return hash_of(given)  # longer than an event id can hold, or in no line of a log
    document = document_in(given)
    if document is not None:
        found = key(document, *_IDS)
        return found if found and _is_id(found) else hash_of(given)
    return given if _is_id(given) else hash_of(given)


def _is_id(found: str) -> bool:
    """No document, and not words alone, which a person's name may be."""
    return not re.search(r'[{}<>"]', found) and (any(map(str.isdigit, found)) or not re.search(r"\s", found))
