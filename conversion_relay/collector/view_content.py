"""POST /view-content, as at the course site: one `data-endpoint` serves every function of the page's script."""

import msgspec

from conversion_relay.collector.door import Admitted
from conversion_relay.collector.events import EventsEndpoint
from conversion_relay.collector.reply import HttpError, Reply
from conversion_relay.event import Rejection
from conversion_relay.intake.accept import WITHHELD
from conversion_relay.intake.mending import decode_mended
from conversion_relay.intake.view_content import view_content_event


class ViewContentAnswer(msgspec.Struct, frozen=True):
    """`message`: tracked, or withheld where the visitor's choice forbids it; then there is no id."""

    message: str
    event_id: str | None


class ViewContentEndpoint:
    """`post` is the route."""

    def __init__(self, events: EventsEndpoint) -> None:
        self._events = events

    async def post(self, admitted: Admitted) -> Reply:
        event = view_content_event(_object(admitted.body))
        if isinstance(event, Rejection):
            raise HttpError(400, event.reason, event.field, event.message)
        done = await self._events.post_one(event, admitted)
        if done.refused is None:
            return Reply(status=200, answer=ViewContentAnswer("tracked", done.event_id), cookies=done.cookies)
        if done.refused.reason in WITHHELD:
            return Reply(status=200, answer=ViewContentAnswer("withheld", None))
        raise HttpError(400, done.refused.reason, done.refused.field, done.refused.message)


def _object(body: bytes) -> dict[str, object]:
    try:
        # A title may be cut in the middle of an emoji.
        document = decode_mended(body)
    except (ValueError, RecursionError):
        raise HttpError(400, "unreadable", "body", "the body is not valid JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise HttpError(400, "wrong_type", "body", "send a JSON object")
    return document
