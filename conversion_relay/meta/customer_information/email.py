"""`em`: "Trim any leading and trailing spaces. Convert all characters to lowercase."

https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters#email
"""

import unicodedata

from conversion_relay.meta.customer_information.hashing import EMPTY, PLACEHOLDER, Dropped, clean
from conversion_relay.meta.customer_information.name import unescaped
from conversion_relay.meta.customer_information.nothing import is_nothing
from conversion_relay.patterns import seldom

_NOT_ONE = Dropped("not one e-mail address")
_MASKED = Dropped("masked, so it is nobody's address")
_LONGEST = 1_024
# One plain address. Dots and plus tags stay: unlike Google, Meta does not fold them.
_LOCAL = r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*"
_LABEL = r"(?!-)[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS = seldom(rf"{_LOCAL}@(?:{_LABEL}\.)+(?!\d+$)[^\W_](?:[\w-]{{0,61}}[^\W_])")

COMMON = r"[A-Za-z0-9_+-]++(?:\.[A-Za-z0-9_+-]++)*@[A-Za-z0-9]++(?:[.-][A-Za-z0-9]++)*\.[A-Za-z]{2,}"
"""An address as nearly everybody writes it; in lower case it is a part of what _ADDRESS takes."""
_COMMON = seldom(COMMON)


def quick_email(text: str, _: object = None) -> bytes | None:
    """
    >>> quick_email(" Joe.Smith@Example.com"), quick_email("Joe <joe@example.com>")
    (b'joe.smith@example.com', None)
    """
    address = text.strip().lower() if len(text) <= 64 else ""
    return address.encode() if _COMMON.fullmatch(address) else None


def normalize_email(text: str) -> str | Dropped:
    """
    >>> normalize_email("  John_Smith@gmail.com ")
    'john_smith@gmail.com'
    >>> normalize_email("j.o.h.n+news@gmail.com")
    'j.o.h.n+news@gmail.com'
    >>> normalize_email("Joe <joe@example.com>")
    Dropped(reason='not one e-mail address')
    """
    if len(text) > _LONGEST:
        return _NOT_ONE
    address = text.strip().lower()
    if "@" not in address:  # it came out of a URL or a page: joe%40example.com
        address = unescaped(address).strip().lower()
    if not address.isascii():
        address = clean(clean(address).lower())
    if not address:
        return EMPTY
    if "**" in address:
        return _MASKED
    if (
        len(address) <= 254
        and _ADDRESS.fullmatch(_without_marks(address))
        and not ("{{" in address and is_nothing(address))
    ):
        return address
    return PLACEHOLDER if "{{" in address else _NOT_ONE


def _without_marks(address: str) -> str:
    """Vowel signs are no word characters to a regular expression, and names of India and Thailand have them."""
    if address.isascii():
        return address
    return "".join(sign for sign in address if unicodedata.category(sign)[0] != "M")
