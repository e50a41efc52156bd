"""The body of POST /view-content as an event: what a page's script saw. The collector and the course site read it here.

The shape is the seed's, and sites in production send it; the event that comes out goes through the door like any other.
"""

from typing import Any, Literal

import msgspec

from conversion_relay.event import Event, Rejection, UserData
from conversion_relay.intake.members import read_members
from conversion_relay.intake.misshapen import wrong_shape

LONGEST_NAME = 5_000


class _UserData(msgspec.Struct, forbid_unknown_fields=True):
    email: str | None = None
    client_user_agent: str | None = None
    fbp: str | None = None
    fbc: str | None = None


class _ContentData(msgspec.Struct, forbid_unknown_fields=True):
    content_name: str
    content_category: str | None = None


class ViewContentBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /view-content."""

    content_data: _ContentData
    user_data: _UserData = msgspec.field(default_factory=_UserData)
    event_source_url: str | None = None
    event_id: str | None = None
    # Members of _AS_IN_EVENTS are read by that door's rules; here they stand for the API's description.
    event_time: int | None = None
    consent: Literal["granted", "denied"] | None = None
    gpc: bool | None = None
    data_processing_options: Any = None
    data_processing_options_country: Any = None
    data_processing_options_state: Any = None
    """The page's own restriction, which its pixel's copy carries, too."""
    pixel: bool = False
    """Whether the page's pixel got the same id."""


def view_content_event(document: dict[str, Any]) -> Event | Rejection:
    """The event, or which field is wrong. What the body leaves out (page, browser, ids) is the request's to say.

    >>> view_content_event({"content_data": {"content_name": "Kintsugi"}}).custom_data
    {'content_name': 'Kintsugi'}
    >>> view_content_event({"content_data": {"content_name": " "}})
    Rejection(reason='missing_field', field='content_data.content_name', message='this field is required')
    """
    # A time, consent and a restriction are read as in /events, or one page would be understood there alone.
    said = {name: value for name in _AS_IN_EVENTS if (value := document.get(name)) is not None}
    read = read_members({"event_name": "ViewContent", **said})
    if isinstance(read, Rejection):
        return read
    try:
        rest = {name: value for name, value in document.items() if name not in _AS_IN_EVENTS}
        body = msgspec.convert(_as_meant(rest), ViewContentBody)
    except msgspec.ValidationError as error:
        found = wrong_shape(error)
        is_unknown = found.reason == "unknown_field"
        return msgspec.structs.replace(found, message="this field is not known here") if is_unknown else found
    content, given = body.content_data, body.user_data
    name = content.content_name.strip()
    if not name:
        return Rejection("missing_field", "content_data.content_name", "this field is required")
    if len(name) > LONGEST_NAME:
        return Rejection("too_long", "content_data.content_name", f"at most {LONGEST_NAME} characters")
    told = {"content_name": name, "content_category": content.content_category}
    return Event(
        event_name="ViewContent",
        event_id=body.event_id or None,
        event_source_url=body.event_source_url or None,
        **{name: getattr(read, name) for name in _AS_IN_EVENTS},
        user_data=UserData(
            email=given.email or None,
            client_user_agent=given.client_user_agent or None,
            fbp=given.fbp or None,
            fbc=given.fbc or None,
        ),
        custom_data={key: value for key, value in told.items() if value},
        pixel=body.pixel or None,
    )


def _as_meant(document: dict[str, Any]) -> dict[str, Any]:
    """A product's name and id may be numbers, as in /events; what is null is not there."""
    parts = {name: value for name, value in document.items() if value is not None}
    for name in ("content_data", "user_data"):
        if isinstance(part := parts.get(name), dict):
            parts[name] = _as_meant(part)
    return {n: str(v) if n in _TEXTS and type(v) in (int, float) else v for n, v in parts.items()}


_TEXTS = frozenset({"event_id", "content_name", "content_category"})
_AS_IN_EVENTS = (
    "event_time",
    "consent",
    "gpc",
    "data_processing_options",
    "data_processing_options_country",
    "data_processing_options_state",
)

# Described when this is imported: two threads that use a Struct for the first time at the same moment crash CPython
# (msgspec 0.22).
msgspec.json.Decoder(ViewContentBody)
