"""A text that is base64 as a whole, as `btoa(email)` makes it, or a JSON Web Token: what it says is read.

Ids look alike, so most of what comes here is none. A text of ASCII makes base64 of which each group of four has few
letters in three of its places; a random id passes that look once in thousands. It is asked of properties of one's own
alone: Meta's members hold names and ids of what is sold.
"""

import base64
import binascii

from conversion_relay.patterns import seldom

LONGEST = 8_192
_GROUP = "[I-Za-f][C-HS-Xi-nyz0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]"
_ENCODED = seldom(rf"\s{{0,9}}(?:{_GROUP}){{3}}[A-Za-z0-9+/_=.-]*\s{{0,9}}")
_PARTS_OF_A_TOKEN = 3


def looks_encoded(text: str) -> bool:
    """Whether it could be base64 of a text; a false alarm costs a closer look.

    >>> looks_encoded("am9lQGV4YW1wbGUuY29t"), looks_encoded("Introduction-to-Pottery"), looks_encoded("SKU-1")
    (True, False, False)
    """
    return 11 < len(text) <= LONGEST and text.isascii() and _ENCODED.fullmatch(text) is not None


def decoded_texts(text: str) -> list[str]:
    """What it says, part by part; empty where it is no base64 of a text.

    >>> decoded_texts("am9lQGV4YW1wbGUuY29t"), decoded_texts("gold")
    (['joe@example.com'], [])
    """
    if not looks_encoded(text):
        return []
    parts = text.strip().split(".")[:_PARTS_OF_A_TOKEN]
    return [said for part in parts if (said := _decoded(part)) is not None]


def _decoded(part: str) -> str | None:
    signs = part.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(signs + "=" * (-len(signs) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
