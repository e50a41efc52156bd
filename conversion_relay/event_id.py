"""Event ids: how they are made, in one place, because browser and server must make the same ones.

Meta drops the second of two events with the same dataset, name and id within 48 hours:
https://developers.facebook.com/docs/marketing-api/conversions-api/deduplicate-pixel-and-server-events
So a repeated request, a webhook that is delivered twice and the pixel's copy must all carry one string. An id goes to
Meta in clear and into every log on the way, so it must not hold an e-mail address or a phone number; where it would,
the SHA-256 of its normal form stands in its place. The rule is pure, so two sides that both use it still agree.
"""

import hashlib
import math
import re
from collections.abc import Iterator

from conversion_relay.patterns import seldom
from conversion_relay.personal_data import email_spans, held, phone_spans, plain, spelled_out
from conversion_relay.personal_data.foreign_types import OCTETS


def for_registration(registration_id: str) -> str:
    """The id of a CompleteRegistration.

    >>> for_registration("abc123")
    'registration_abc123'
    """
    return f"registration_{_written(registration_id)}"


def for_purchase(registration_or_order_id: str) -> str:
    """The id of a Purchase: the registration's or order's own id, so that a webhook delivered twice gives one event.

    >>> for_purchase("abc123")
    'purchase_abc123'
    """
    return f"purchase_{_written(registration_or_order_id)}"


def _written(key: object) -> str:
    """As the page has it. A data frame with a gap makes numbers of all its ids, and some databases give bytes.

    >>> [_written(key) for key in ("7", 7, 7.0, b"7", float("nan"))]
    ['7', '7', '7', '7', 'NaN']
    """
    if isinstance(key, OCTETS):
        return bytes(key).decode("utf-8", "backslashreplace")  # two ids stay two
    if isinstance(key, float):
        if math.isnan(key):
            return "NaN"  # which `names_no_event`
        return str(int(key)) if key.is_integer() else str(key)
    return str(key)


def for_contact(email: str, timestamp: int) -> str:
    """`contact_{email}_{timestamp}`, the e-mail standing as its SHA-256.

    An address in clear would travel to Meta unhashed and into every log on the way.

    >>> for_contact(" Test@Example.com ", 1692345678)
    'contact_973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b_1692345678'
    """
    return f"contact_{_digest(email)}_{timestamp}"


def uuid7(now: float, entropy: bytes) -> str:
    """RFC 9562 version 7: 48 bits of Unix milliseconds, then 74 random bits (`entropy`: 10 bytes).

    >>> uuid7(1692345678.5, bytes(10))
    '018a07a9-baa4-7000-8000-000000000000'
    """
    milliseconds = int(now * 1000) & 0xFFFFFFFFFFFF
    random_bits = int.from_bytes(entropy[:10], "big")
    number = milliseconds << 80 | 0x7 << 76 | (random_bits >> 62 & 0xFFF) << 64
    number |= 0b10 << 62 | random_bits & 0x3FFFFFFFFFFFFFFF
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def without_email(event_id: str) -> str:
    """An id that somebody else made, with each e-mail address and phone number in it replaced by its SHA-256.

    An address is hashed in lower case, a number as its digits with the country code: as Meta hashes both. Where a
    disguise had to be undone to find it, the rest of the id is without it, too.

    >>> without_email("contact_test@example.com_1692345678")
    'contact_973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b_1692345678'
    >>> without_email("contact_+1 (650) 555-1212_1") == without_email("contact_0016505551212_1")
    True
    """
    if held(event_id) is None:
        return event_id
    for text in _readings(event_id):
        replaced = _with_digests(text)
        if held(replaced) is None:
            return replaced
    return _digest(event_id)


def names_no_event(event_id: str) -> bool:
    """Whether this is what a program or a template writes where it has no id.

    Each visitor would get the same one, and all events after the first would be taken for its duplicates.

    >>> names_no_event("undefined"), names_no_event("purchase_None"), names_no_event("{{Order}}"), names_no_event("7")
    (True, True, True, False)
    """
    text = event_id.strip() if len(event_id) <= _LONGEST_OF_NOTHING else ""
    if not text or text.lower() in _NOTHING:
        return bool(text)
    kind, sign, its_id = text.replace(":", "_").replace("-", "_").rpartition("_")
    if sign and its_id in _NO_VALUE and kind.isalpha():
        return True
    return not _OPENS.isdisjoint(text) and _UNFILLED.search(text) is not None


def surely_names_one(event_id: str) -> bool:
    """Whether `names_no_event` would say no; the quick look, which knows most ids.

    >>> surely_names_one("purchase_1001"), surely_names_one("purchase_None"), surely_names_one("{{Order}}1")
    (True, False, False)
    """
    if event_id[-1:] in ENDS_OF_NOTHING:
        return False
    return event_id.isidentifier() or f"_{event_id}".replace("-", "_").isidentifier()


def holds_person(text: str) -> bool:
    """Whether an e-mail address or a phone number in international form stands anywhere in the text."""
    return held(text) is not None


def _readings(event_id: str) -> Iterator[str]:
    """The id as it stands, else without its disguises."""
    yield event_id
    seen = plain(event_id).text
    yield seen
    yield spelled_out(seen) or seen


def _with_digests(text: str) -> str:
    places = []
    for begin, end in email_spans(text):
        kind = _KIND.match(text, begin, end)
        start = kind.end() if kind else begin
        places.append((start, end, text[start:end]))
    taken = iter([*places, (len(text) + 1, len(text) + 1, "")])
    address = next(taken)
    phones: list[tuple[int, int, str]] = []
    for number in phone_spans(text):
        while address[1] <= number.begin:
            address = next(taken)
        if number.end <= address[0]:
            phones.append((number.begin, number.end, number.digits))
    parts: list[str] = []
    read = 0
    for begin, end, found in sorted([*places, *phones]):
        if begin >= read:
            parts += [text[read:begin], _digest(found)]
            read = end
    return "".join([*parts, text[read:]])


_LONGEST_OF_NOTHING = 200
_NOTHING = frozenset(
    {
        *("undefined", "null", "none", "nan", "nil", "nullptr", "undefinedundefined", "nullnull", "[object object]"),
        *("n/a", "(null)", "(none)", "(undefined)", "(empty)", "(not set)", "not set", "<null>", "<none>", "[]", "{}"),
        *("''", '""', "-", "--", "#n/a", "#na", "#ref!", "#value!", "#name?", "#num!", "#null!", "#div/0!"),
    }
)
"""In small letters; with what a spreadsheet writes for a formula without a result."""
_NO_VALUE = frozenset({"", "undefined", "null", "NULL", "None", "NaN", "[object Object]"})
"""Behind a kind ("purchase_"), in the exact spelling of a program: Nan is a first name."""
ENDS_OF_NOTHING = frozenset({"", *"dDlLeEnNrR_-"})
"""With one of these ends each word for nothing that is made of letters and dashes alone."""
_OPENS = frozenset("{<%*")
# Templates that nobody filled in: {{x}}, ${x}, <%x%>, %%x%%, *|x|*, {x}.
_UNFILLED = seldom(r"\{\{[^{}]*\}\}|[$#]\{[^{}]*\}|<%[^%]*%>|%%\w{1,40}%%|\*\|\w{1,40}\|\*|\{[A-Za-z_.]{1,40}\}")


# What our own rules, and many sites, write before an address; a local part must remain.
_KIND = seldom(r"(?:contact|registration|purchase|lead|order)_(?=[^@]*[^\W_][^@]*@)", re.IGNORECASE)


def _digest(text: str) -> str:
    # Half of a surrogate pair has no UTF-8, and an odd text must not end its caller's request with an exception.
    return hashlib.sha256(text.strip().lower().encode(errors="replace")).hexdigest()
