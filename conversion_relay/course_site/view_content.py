"""POST /view-content: what the page's script saw."""

from typing import Literal

import msgspec

from conversion_relay import Event, InvalidEvent, UserData
from conversion_relay.course_site.shop import Shop
from conversion_relay.course_site.web import SiteAnswer, SiteRequest, read_form, refused, required_text


class _UserData(msgspec.Struct, forbid_unknown_fields=True):
    email: str | None = None
    client_user_agent: str | None = None
    fbp: str | None = None
    fbc: str | None = None


class _ContentData(msgspec.Struct, forbid_unknown_fields=True):
    content_name: str
    content_category: str | None = None


class _Form(msgspec.Struct, forbid_unknown_fields=True):
    content_data: _ContentData
    user_data: _UserData = msgspec.field(default_factory=_UserData)
    event_source_url: str | None = None
    event_id: str | None = None
    event_time: int | None = None
    consent: Literal["granted", "denied"] | None = None
    gpc: bool | None = None
    pixel: bool = False
    """Whether the page's pixel got the same id."""


def view_content(shop: Shop, request: SiteRequest) -> SiteAnswer:
    """The script's own ids outrank the request's: it may post from another site, where cookies do not travel."""
    form = read_form(request, _Form)
    name = required_text("content_data.content_name", form.content_data.content_name)
    given = form.user_data
    facts = msgspec.structs.replace(
        request.facts,
        url=form.event_source_url or request.facts.url,
        client_user_agent=given.client_user_agent or request.facts.client_user_agent,
    )
    content = {"content_name": name, "content_category": form.content_data.content_category}
    event = Event(
        event_name="ViewContent",
        event_id=form.event_id or None,
        event_time=form.event_time,
        consent=form.consent,
        gpc=form.gpc,
        user_data=UserData(email=given.email or None, fbp=given.fbp or None, fbc=given.fbc or None),
        custom_data={key: value for key, value in content.items() if value},
    )
    try:
        tracked = shop.relay.track(event, facts, sender="browser")
    except InvalidEvent as error:
        raise refused(error) from None
    if form.pixel and tracked.event_id:
        shop.relay.note_pixel(shop.relay.settings.datasets[0], [("ViewContent", tracked.event_id)])
    return SiteAnswer(200, {"message": "tracked" if tracked.event_id else "withheld", "event_id": tracked.event_id})


msgspec.json.Decoder(_Form)  # described at import, see `shape`
