"""POST /contact: a mail to the course team, and the Contact event that says so."""

from typing import Annotated

import msgspec

from conversion_relay import Event, UserData, for_contact, without_email
from conversion_relay.course_site.mail import contact_message
from conversion_relay.course_site.shop import Shop
from conversion_relay.course_site.web import (
    SiteAnswer,
    SiteError,
    SiteRequest,
    read_form,
    required_email,
    required_text,
)


class _Form(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    email: str
    message: str
    mobile: str | int | None = None
    event_id: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    """Of a site whose pixel sends an id of its own. An e-mail address in it becomes its digest, as everywhere."""
    visitor: object = None
    """Read at the site's door."""


def contact(shop: Shop, request: SiteRequest) -> SiteAnswer:
    """The answer's `event_id` is the one that Meta gets, so that the page's pixel can send the same."""
    form = read_form(request, _Form)
    name, email = required_text("name", form.name), required_email("email", form.email)
    text = required_text("message", form.message)
    mobile = str(form.mobile).strip() if form.mobile is not None else None
    try:
        shop.mail.send(contact_message(name, email, text, mobile))
    except (OSError, ValueError):
        raise SiteError(
            503, "mail_not_sent", "message", "the mail could not be sent just now; please try again"
        ) from None
    now = shop.clock()
    event_id = form.event_id or for_contact(email, int(now))
    first, _, last = name.partition(" ")
    person = UserData(email=email, phone=mobile or None, first_name=first, last_name=last.strip() or None)
    event = Event(event_name="Contact", event_id=event_id, event_time=now, user_data=person, consent=request.consent)
    tracked = shop.track(event, request.facts)
    return SiteAnswer(200, {"message": "sent", "event_id": tracked or without_email(event_id)})


msgspec.json.Decoder(_Form)  # described at import, see `shape`
