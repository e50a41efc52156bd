"""The JSON of one event as a value, of a size that can be kept, and taken out of the text that an SDK makes of it."""

import re

import msgspec

from conversion_relay.event import Rejection
from conversion_relay.intake.mending import decode, kept_apart
from conversion_relay.patterns import seldom

MOST_EVENT_BYTES = 131_072
"""Of one event; a page of text is 3,000. An outbox must be able to keep it, and a queue of AWS takes no more."""
MOST_PROPERTIES = 5_000
"""Members of all objects of one event together."""


def read_document(raw: bytes) -> object:
    r"""The value, or a `Rejection` of what is too large or no JSON.

    >>> read_document(b'{"event_name": "Lead"}') == read_document(b'"{\\"event_name\\": \\"Lead\\"}"')
    True
    """
    if refused := too_large(raw):
        return refused
    try:
        document = decode(raw)
        if isinstance(document, str) and document.lstrip()[:1] == "{":
            document = decode(kept_apart(document).encode())
    except (ValueError, RecursionError):
        return Rejection("unreadable", "body", f"the event is not valid JSON in UTF-8{place_of_error(raw) or ''}")
    return document


def too_large(raw: bytes) -> Rejection | None:
    """Why an event of this size is not taken; it is not decoded for that."""
    if len(raw) > MOST_EVENT_BYTES:
        return Rejection("too_large", "body", f"an event may have {MOST_EVENT_BYTES} bytes; send what Meta uses")
    if raw.count(b":") > MOST_PROPERTIES and sum(map(bool, _STRINGS.findall(raw))) > MOST_PROPERTIES:
        return Rejection("too_many_members", "body", f"an event may have {MOST_PROPERTIES} members in all")
    return None


def place_of_error(body: bytes) -> str | None:
    """Where this ends to be JSON, to be put behind a sentence; empty where that is not known, None where it is JSON."""
    try:
        _raw_decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        if found := re.search(r"\(byte (\d+)\)", str(error)):
            line = body.count(b"\n", 0, int(found[1])) + 1
            return f" (line {line}, byte {found[1]})" if line > 1 else f" (byte {found[1]})"
        return ""
    return None


# A string, and the colon that makes it a name. It takes whole strings, also one without end, so that none is run twice.
_STRINGS = seldom(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"(\s*+:)?+|\Z)', re.DOTALL)
_raw_decoder = msgspec.json.Decoder(msgspec.Raw)
