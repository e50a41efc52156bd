"""The four endpoints of the site, and what they share: who may call, cookies for Meta's browser ids, errors."""

import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from conversion_relay import Event, InvalidEvent, OutboxUnavailable, Relay, RequestFacts
from conversion_relay.course_site.courses import COURSES, Course
from conversion_relay.course_site.mail import Mail
from conversion_relay.course_site.registrations import Registrations
from conversion_relay.course_site.visitor import read_visitor
from conversion_relay.course_site.web import (
    SiteAnswer,
    SiteError,
    SiteRequest,
    check_origin,
    cors_headers,
    unavailable,
)
from conversion_relay.meta.click_id import cookie_line, fbc_from_url, new_fbp

logger = logging.getLogger("conversion_relay.course_site")
Endpoint = Callable[["CourseSite", SiteRequest], SiteAnswer]


class CourseSite:
    """Everything the endpoints need. `clock` and `new_id` are arguments so that a test can hold them still."""

    def __init__(
        self,
        relay: Relay,
        registrations: Registrations,
        mail: Mail,
        *,
        stripe_secrets: Sequence[str],
        courses: Mapping[str, Course] = COURSES,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(12),
    ) -> None:
        self.relay, self.registrations, self.mail = relay, registrations, mail
        self.stripe_secrets, self.courses = stripe_secrets, courses
        self.clock, self.new_id = clock, new_id
        self._allowed_origins = frozenset(o for d in relay.settings.datasets for o in d.allowed_origins)

    # Each loads its endpoint when it is called: a Lambda function has one, and pays for it at every cold start.

    def register(self, request: SiteRequest) -> SiteAnswer:
        from conversion_relay.course_site.registration import register

        return self._respond(register, request)

    def contact(self, request: SiteRequest) -> SiteAnswer:
        from conversion_relay.course_site.contact import contact

        return self._respond(contact, request)

    def view_content(self, request: SiteRequest) -> SiteAnswer:
        from conversion_relay.course_site.view_content import view_content

        return self._respond(view_content, request)

    def payment_webhook(self, request: SiteRequest) -> SiteAnswer:
        """Called by the payment provider: no browser, no Origin to check, the signature decides."""
        from conversion_relay.course_site.payment import payment_webhook

        return self._answer(payment_webhook, request)

    def track(self, event: Event, facts: RequestFacts) -> str | None:
        """Durable when it returns; the id. None when the visitor declined, or when the event cannot be sent: that is
        no reason to turn a customer away."""
        try:
            return self.relay.track(event, facts).event_id
        except InvalidEvent as error:
            fields = {"event": event.event_name, "reason": error.reason, "field": error.field}
            logger.warning("An event of the site was not accepted", extra=fields)
            return None

    def _with_browser_ids(self, facts: RequestFacts, consent: str | None) -> RequestFacts:
        """Meta matches nobody by a user agent alone, so a visitor without `_fbp` gets one, as Meta's own tag does.

        Not for a browser that asks not to be tracked, nor for somebody who said no or was not asked where that counts.
        """
        is_silent = consent is None and self.relay.settings.silence == "withhold"
        if facts.gpc or consent == "denied" or is_silent:
            return facts
        now = self.clock()
        fbp = facts.fbp or new_fbp(now, secrets.randbelow(2**31))
        return msgspec.structs.replace(facts, fbp=fbp, fbc=fbc_from_url(facts.url, now, known=facts.fbc))

    def _respond(self, endpoint: Endpoint, request: SiteRequest) -> SiteAnswer:
        cors = cors_headers(request, self._allowed_origins)
        if request.method == "OPTIONS":
            return SiteAnswer(204, {}, {**cors, "Access-Control-Max-Age": "7200"})
        answer = self._answer(self._with_visit(endpoint), request)
        return msgspec.structs.replace(answer, headers={**answer.headers, **cors})

    def _with_visit(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint for an allowed page, with what that page knows of its visitor."""

        def with_visit(site: "CourseSite", request: SiteRequest) -> SiteAnswer:
            check_origin(request, self._allowed_origins)
            visitor = read_visitor(request)
            known = visitor.facts(request.facts)
            facts = msgspec.structs.replace(known, url=known.url or request.url or None)
            facts = self._with_browser_ids(facts, visitor.consent)
            answer = endpoint(site, msgspec.structs.replace(request, facts=facts, consent=visitor.consent))
            cookies = _cookies(known, facts, request.url) if answer.status < 400 else ()
            return msgspec.structs.replace(answer, cookies=cookies)

        return with_visit

    def _answer(self, endpoint: Endpoint, request: SiteRequest) -> SiteAnswer:
        try:
            if request.method != "POST":
                raise SiteError(405, "method_not_allowed", "method", "use POST")
            return endpoint(self, request)
        except SiteError as error:
            return error.answer()
        except OutboxUnavailable as error:
            return unavailable(error)


def _cookies(known: RequestFacts, facts: RequestFacts, url: str) -> tuple[str, ...]:
    """`Set-Cookie` lines of what was minted here."""
    is_secure = url.startswith("https:")
    ids = (("_fbp", known.fbp, facts.fbp), ("_fbc", known.fbc, facts.fbc))
    return tuple(cookie_line(name, new, is_secure=is_secure) for name, old, new in ids if new and new != old)
