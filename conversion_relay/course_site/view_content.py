"""POST /view-content: what the page's script saw."""

from conversion_relay import InvalidEvent, Rejection, view_content_event
from conversion_relay.course_site.shop import Shop
from conversion_relay.course_site.web import SiteAnswer, SiteError, SiteRequest, read_object, refused


def view_content(shop: Shop, request: SiteRequest) -> SiteAnswer:
    """The script's own ids outrank the request's: it may post from another site, where cookies do not travel."""
    event = view_content_event(read_object(request))
    if isinstance(event, Rejection):
        raise SiteError(400, event.reason, event.field, event.message)
    try:
        tracked = shop.relay.track(event, request.facts, sender="browser")
    except InvalidEvent as error:
        raise refused(error) from None
    if event.pixel and tracked.event_id:
        shop.relay.note_pixel(shop.relay.settings.datasets[0], [("ViewContent", tracked.event_id)])
    return SiteAnswer(200, {"message": "tracked" if tracked.event_id else "withheld", "event_id": tracked.event_id})
