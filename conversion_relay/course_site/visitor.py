"""What the page's script says of the visit: `visitor` in a form, members of a page view.

It outranks the request: cookies do not travel to another site, and a browser may cut the Referer to an origin.
"""

from typing import Any, Literal

import msgspec

from conversion_relay import RequestFacts
from conversion_relay.course_site.web import SiteError, SiteRequest, read_object, shape


class PageVisit(msgspec.Struct, frozen=True):
    """As `MetaTracking.visitor()` gives it; a classic form sends it as JSON in a hidden field."""

    fbp: str | None = None
    fbc: str | None = None
    event_source_url: str | None = None
    consent: Literal["granted", "denied"] | None = None
    gpc: bool | None = None

    def facts(self, request: RequestFacts) -> RequestFacts:
        """The request's facts with what the page knows better."""
        return msgspec.structs.replace(
            request,
            fbp=self.fbp or request.fbp,
            fbc=self.fbc or request.fbc,
            url=self.event_source_url or request.url,
            gpc=request.gpc or bool(self.gpc),
        )


def read_visitor(request: SiteRequest) -> PageVisit:
    """An empty visit where the body cannot be read: the endpoint refuses that body itself.

    Raises SiteError for a visitor of a wrong shape.
    """
    try:
        document = read_object(request)
    except SiteError:
        return PageVisit()
    if "content_data" in document:
        return shape({name: value for name, value in document.items() if name in ("consent", "gpc")}, PageVisit)
    return _form_visitor(document.get("visitor"))


def _form_visitor(given: Any) -> PageVisit:
    if given is None:
        return PageVisit()
    try:
        return msgspec.convert(msgspec.json.decode(given) if isinstance(given, str) else given, PageVisit)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = "send what MetaTracking.visitor() gives, as an object or as its JSON"
        raise SiteError(400, "wrong_type", "visitor", message) from None


msgspec.json.Decoder(PageVisit)  # described at import, see `shape`
