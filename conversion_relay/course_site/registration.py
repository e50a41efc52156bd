"""POST /register: a place in a course, and the CompleteRegistration that says so."""

from typing import Any

import msgspec

from conversion_relay import CustomData, Event, RequestFacts, UserData, for_registration
from conversion_relay.course_site.courses import Course
from conversion_relay.course_site.shop import Registration, Shop
from conversion_relay.course_site.web import (
    LONGEST_FIELD,
    MOST_FIELDS,
    SiteAnswer,
    SiteError,
    SiteRequest,
    read_object,
    required_email,
    required_text,
    shape,
)


class _Form(msgspec.Struct):
    name: str
    email: str
    course_id: str
    phone: str | int | None = None


_READ = (*_Form.__struct_fields__, "visitor")


def register(shop: Shop, request: SiteRequest) -> SiteAnswer:
    """Stores the registration with the visit it came from, then tracks it. Registering again replaces an unpaid one
    and keeps its id, so that its CompleteRegistration is a duplicate of the first."""
    registration = _read(shop, request)
    course = _course(shop, registration.course_id)
    kept = shop.registrations.register(registration)
    if kept is None:
        message = "this address has a paid registration for this course"
        raise SiteError(400, "email_already_registered", "email", message)
    event_id = for_registration(kept)
    # OutboxUnavailable passes through as a 503; the visitor tries again and the unpaid registration is replaced.
    shop.track(_event(registration, course, event_id), request.facts)
    body = {"message": "registered", "registration_id": kept, "event_id": event_id}
    return SiteAnswer(200, body)


def _event(registration: Registration, course: Course, event_id: str) -> Event:
    return Event(
        event_name="CompleteRegistration",
        event_id=event_id,
        event_time=registration.registered_at,
        event_source_url=registration.url,
        user_data=person(registration),
        consent=registration.consent,
        custom_data=CustomData(
            content_name=course.title,
            content_category=course.category,
            content_ids=[course.id],
            status=True,
        ).to_wire(),
    )


def person(registration: Registration) -> UserData:
    """The match keys of whoever registered, with the visit they came from."""
    first, _, last = registration.name.partition(" ")
    return UserData(
        email=registration.email,
        phone=registration.phone,
        first_name=first or None,
        last_name=last.strip() or None,
        client_ip_address=registration.client_ip_address,
        client_user_agent=registration.client_user_agent,
        fbp=registration.fbp,
        fbc=registration.fbc,
    )


def _read(shop: Shop, request: SiteRequest) -> Registration:
    document = read_object(request)
    form = shape({name: document[name] for name in _Form.__struct_fields__ if name in document}, _Form)
    facts = request.facts
    if shop.relay.settings.withholds(request.consent, gpc=facts.gpc):  # then nobody needs browser, click and address
        facts = RequestFacts(gpc=facts.gpc)
    return Registration(
        registration_id=shop.new_id(),
        course_id=required_text("course_id", form.course_id),
        email=required_email("email", form.email),
        name=required_text("name", form.name),
        phone=str(form.phone).strip() or None if form.phone is not None else None,
        registered_at=shop.clock(),
        client_ip_address=facts.client_ip_address,
        client_user_agent=facts.client_user_agent,
        fbp=facts.fbp,
        fbc=facts.fbc,
        url=facts.url,
        consent=request.consent,
        gpc=facts.gpc,
        fields=_other_fields(document),
    )


def _other_fields(document: dict[str, Any]) -> dict[str, str | int | float | bool]:
    others = {name: value for name, value in document.items() if name not in _READ and value is not None}
    if len(others) > MOST_FIELDS:
        raise SiteError(400, "too_many_fields", "body", f"at most {MOST_FIELDS} form fields")
    for name, value in others.items():
        if not isinstance(value, str | int | float | bool):
            raise SiteError(400, "wrong_type", name[:100], "a form field is text, a number, true or false")
        if len(str(value)) > LONGEST_FIELD or len(name) > 100:
            raise SiteError(400, "too_long", name[:100], f"at most {LONGEST_FIELD} characters")
    return others


def _course(shop: Shop, course_id: str) -> Course:
    course = shop.courses.get(course_id)
    if course is None:
        raise SiteError(400, "unknown_course", "course_id", f"one of {', '.join(shop.courses)}")
    return course


msgspec.json.Decoder(_Form)  # described at import, see `shape`
