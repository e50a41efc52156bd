"""A Lambda function over one route of the course site: its event in, its answer out, nothing thrown at the caller."""

from collections.abc import Callable
from typing import Any

from conversion_relay import SettingsError, request_facts
from conversion_relay.aws import AwsError, HttpRequest, NotHttp, http_answer, http_request
from conversion_relay.course_site.shop import logger
from conversion_relay.course_site.site import CourseSite
from conversion_relay.course_site.web import SiteAnswer, SiteRequest

Route = Callable[[CourseSite, SiteRequest], SiteAnswer]


def is_test_document(event: Any) -> bool:
    """Whether it came from Lambda's test console: a document with `event_type`, which no HTTP request has."""
    return isinstance(event, dict) and "event_type" in event and "requestContext" not in event


def answer(event: Any, route: Route, the_site: Callable[[], CourseSite]) -> dict[str, Any]:
    """The answer to an HTTP request in whatever shape AWS hands it over. `the_site` opens the site, once in a process.

    >>> answer({}, CourseSite.contact, the_site=NotImplemented)["statusCode"]
    400
    """
    try:
        request = http_request(event)
    except NotHttp as error:
        message = f"{error.reason}; send an HTTP request, or a document with event_type from the test console"
        return http_answer("http", 400, _problem("unreadable", "event", message), {})
    try:
        site = the_site()
        said = route(site, _site_request(site, request))
    except Exception as error:
        # Only these are known to quote nothing that the visitor wrote; AWS's is a code such as AccessDeniedException.
        reason = str(error) if isinstance(error, SettingsError | AwsError) else type(error).__name__
        # In the message, too: Lambda's text log format shows nothing else.
        logger.error("A request could not be answered: %s", reason, extra={"reason": reason})
        body = _problem("internal", "", "this could not be done just now; please try again")
        return http_answer(request.kind, 500, body, {"Retry-After": "5"})
    return http_answer(request.kind, said.status, said.body, said.headers, said.cookies, said.text)


def _site_request(site: CourseSite, request: HttpRequest) -> SiteRequest:
    settings = site.shop.relay.settings
    facts = request_facts(request.headers, request.peer, settings.trusted_proxies, viewer_header=settings.viewer_header)
    return SiteRequest(method=request.method, body=request.body, headers=request.headers, facts=facts, url=request.url)


def _problem(error: str, field: str, message: str) -> dict[str, str]:
    return {"error": error, "field": field, "message": message}
