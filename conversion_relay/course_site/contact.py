"""POST /contact: a mail to the course team, and the Contact event that says so."""

from typing import TYPE_CHECKING

import msgspec

from conversion_relay import Event, UserData
from conversion_relay.course_site.mail import contact_message
from conversion_relay.course_site.web import (
    SiteAnswer,
    SiteError,
    SiteRequest,
    read_form,
    required_email,
    required_text,
)
from conversion_relay.event_id import for_contact

if TYPE_CHECKING:
    from conversion_relay.course_site.site import CourseSite


class _Form(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    email: str
    message: str
    mobile: str | int | None = None
    visitor: object = None
    """Read at the site's door."""


def contact(site: "CourseSite", request: SiteRequest) -> SiteAnswer:
    form = read_form(request, _Form)
    name, email = required_text("name", form.name), required_email("email", form.email)
    text = required_text("message", form.message)
    mobile = str(form.mobile).strip() if form.mobile is not None else None
    try:
        site.mail.send(contact_message(name, email, text, mobile))
    except (OSError, ValueError):
        raise SiteError(
            503, "mail_not_sent", "message", "the mail could not be sent just now; please try again"
        ) from None
    now = site.clock()
    event_id = for_contact(email, int(now), literal=site.relay.settings.contact_id_literal)
    first, _, last = name.partition(" ")
    person = UserData(email=email, phone=mobile or None, first_name=first, last_name=last.strip() or None)
    event = Event(event_name="Contact", event_id=event_id, event_time=now, user_data=person, consent=request.consent)
    site.track(event, request.facts)
    return SiteAnswer(200, {"message": "sent", "event_id": event_id})
