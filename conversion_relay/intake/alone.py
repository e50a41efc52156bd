"""A body that is one event, as most are: read in one step. `reading.py` is the careful way, and says the same.

The decoder knows all members of an event and refuses others. So what it takes is an object that names its event, and
that is what `read_body` takes for an event alone.
"""

import msgspec

from conversion_relay.event import Event

MOST_BYTES = 32_768
"""Fewer than MOST_PROPERTIES members fit in."""


def read_alone(body: bytes) -> Event | None:
    """What `read_body` and then `read_event` give. None: they have to look.

    >>> read_alone(b'{"event_name": "Lead", "event_id": "a"}').event_id
    'a'
    >>> read_alone(b'{"data": [{"event_name": "Lead"}]}') is read_alone(b'{"event_name": 1}') is None
    True
    """
    if len(body) > MOST_BYTES:
        return None
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


_decode = msgspec.json.Decoder(Event).decode
