"""The routes of the site, and what the browser's three have in common: who may call, and cookies for Meta's ids."""

import secrets
from collections.abc import Callable

import msgspec

from conversion_relay import PREFLIGHT_SECONDS, BrowserIds, CookieSite, OutboxUnavailable, cors_headers
from conversion_relay.course_site.shop import Shop, logger
from conversion_relay.course_site.visitor import read_visitor
from conversion_relay.course_site.web import SiteAnswer, SiteError, SiteRequest, check_origin, unavailable

Endpoint = Callable[[Shop, SiteRequest], SiteAnswer]
OWN_HOST = CookieSite()
"""A cookie of the site is of its own host; the site does not know which domain it could share."""


class CourseSite:
    """One method a route. Each loads its endpoint when it is called: a Lambda function has one route, and would pay
    for the others at every cold start."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    @property
    def _origins(self) -> frozenset[str]:
        """Of the settings in use now: they may be read again while the site runs."""
        return frozenset(o for dataset in self.shop.relay.settings.datasets for o in dataset.allowed_origins)

    def register(self, request: SiteRequest) -> SiteAnswer:
        from conversion_relay.course_site.registration import register

        return self._to_browser(register, request)

    def contact(self, request: SiteRequest) -> SiteAnswer:
        from conversion_relay.course_site.contact import contact

        return self._to_browser(contact, request)

    def view_content(self, request: SiteRequest) -> SiteAnswer:
        from conversion_relay.course_site.view_content import view_content

        return self._to_browser(view_content, request)

    def payment_webhook(self, request: SiteRequest, provider: str = "") -> SiteAnswer:
        """Called by the payment provider: there is no browser and no Origin to check; the signature decides.

        `provider`: by default, the last part of `/webhooks/{provider}`; Stripe on any other path."""
        from conversion_relay.course_site.payment import payment_webhook

        before, _, name = request.url.partition("?")[0].rstrip("/").rpartition("/")
        provider = provider or (name if before.endswith("/webhooks") else "stripe")
        return _answered(lambda: payment_webhook(self.shop, request, provider), request, "GET", "HEAD")

    def _to_browser(self, endpoint: Endpoint, request: SiteRequest) -> SiteAnswer:
        cors = cors_headers(request.headers.get("origin"), self._origins) | self.shop.relay.settings.told_policy
        if request.method == "OPTIONS":
            return SiteAnswer(204, {}, {**cors, "Access-Control-Max-Age": PREFLIGHT_SECONDS})
        answer = _answered(lambda: self._with_visit(endpoint, request), request, "OPTIONS")
        return msgspec.structs.replace(answer, headers={**answer.headers, **cors})

    def _with_visit(self, endpoint: Endpoint, request: SiteRequest) -> SiteAnswer:
        """The endpoint's answer to an allowed page, with what that page knows of its visitor."""
        check_origin(request, self._origins)
        visitor = read_visitor(request)
        known = visitor.facts(request.facts)
        known = msgspec.structs.replace(known, url=known.url or request.url or None)
        ids = BrowserIds(
            known,
            OWN_HOST,
            self.shop.clock(),
            secrets.randbelow(2**31),
            is_secure=request.url.startswith("https:"),
            silence=self.shop.relay.settings.silence,
        )
        facts = ids.facts_for(visitor.consent)
        answer = endpoint(self.shop, msgspec.structs.replace(request, facts=facts, consent=visitor.consent))
        return msgspec.structs.replace(answer, cookies=ids.cookies() if answer.status < 400 else ())


def _answered(endpoint: Callable[[], SiteAnswer], request: SiteRequest, *also: str) -> SiteAnswer:
    """`also`: methods that it takes beside POST."""
    try:
        if request.method not in ("POST", *also):
            raise SiteError(405, "method_not_allowed", "method", "use POST", allow=", ".join(["POST", *also]))
        return endpoint()
    except SiteError as error:
        return error.answer()
    except OutboxUnavailable as error:
        # In the message, too: Lambda's text log format shows nothing else.
        logger.error("A request could not be stored: %s", error, extra={"reason": str(error)})
        return unavailable(error)
