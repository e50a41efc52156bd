"""An event with the members that most have, read from its JSON in one step.

What could go wrong: `Event` keeps what is free as objects of Python, which then are asked member by member whether they
are what most are, written as JSON, and read again by type: a tenth of the door.

The rule: the decoder asks. What it takes as a `CommonEvent` has no other members than these, of these types, and its
`custom_data` holds Meta's own names alone. Whatever it refuses is read as an `Event`, by the careful way.

It is an `Event` to everybody who reads its other members, and `as_event` is the same event with its `custom_data` as
others have it; `test_common_event.py` compares the two, event by event.
"""

from sys import exception
from typing import TYPE_CHECKING

import msgspec

from conversion_relay.errors import without_variables
from conversion_relay.event import Event, Rejection
from conversion_relay.intake.custom_data import Known
from conversion_relay.intake.reading import EVENT, SURELY_FEW, read_event


class CommonEvent(Event):
    """No member of JSON but null stands where None alone is allowed."""

    # An `Event` to type checkers, who cannot know that nobody assigns to it.
    if not TYPE_CHECKING:
        custom_data: Known | None = None
        data_processing_options_country: None = None
        data_processing_options_state: None = None
        app_data: None = None
        original_event_data: None = None
        attribution_data: None = None
        messaging_channel: None = None
        customer_segmentation: None = None
        advanced_measurement_table: None = None


def as_event(event: Event) -> Event:
    """The same, where `custom_data` is a dictionary, as of all others.

    >>> as_event(CommonEvent(event_name="Lead", custom_data=Known(value=5))).custom_data
    {'value': 5}
    """
    if type(event) is not CommonEvent:
        return event
    members = {name: getattr(event, name) for name in Event.__struct_fields__}
    if event.custom_data is not None:
        members["custom_data"] = msgspec.to_builtins(event.custom_data)
    return Event(**members)


def read_common(raw: msgspec.Raw | bytes) -> Event | Rejection:
    """What `read_event` gives, as a `CommonEvent` where it is one.

    >>> read_common(b'{"event_name": "Lead", "custom_data": {"value": 5}}').custom_data.value
    5
    """
    handled = exception()
    try:
        return (_decoded(_COMMON, raw) if memoryview(raw).nbytes <= SURELY_FEW else None) or read_event(raw)
    except BaseException as error:  # `leaves_no_variables` by hand, in a quarter of its time
        del raw
        without_variables(error, handled)
        del handled
        raise


def read_alone(body: bytes) -> Event | None:
    """A body that is one event, as most are: what `read_body` and then `read_event` give. None: they have to look.

    Both decoders refuse names that they do not know. So what one of them takes is an object that names its event, and
    that is what `read_body` takes for an event alone.

    >>> read_alone(b'{"event_name": "Lead", "event_id": "a"}').event_id
    'a'
    >>> read_alone(b'{"data": [{"event_name": "Lead"}]}') is read_alone(b'{"event_name": 1}') is None
    True
    """
    if len(body) > SURELY_FEW:
        return None
    return _decoded(_COMMON, body) or _decoded(EVENT, body)


def _decoded(decoder: "msgspec.json.Decoder[Event]", raw: msgspec.Raw | bytes) -> Event | None:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


_COMMON: msgspec.json.Decoder[Event] = msgspec.json.Decoder(CommonEvent)
