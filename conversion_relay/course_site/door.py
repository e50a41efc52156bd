"""A Lambda function over one endpoint of the course site: request in, answer out, nothing thrown at the caller."""

from collections.abc import Callable
from functools import cache
from typing import Any

from conversion_relay import SettingsError
from conversion_relay.aws.events import HttpRequest, NotHttp, read_request, write_answer
from conversion_relay.course_site.site import CourseSite, Endpoint
from conversion_relay.course_site.web import SiteRequest
from conversion_relay.intake.request_facts import request_facts
from conversion_relay.telemetry import logger

Handler = Callable[[Any, Any], dict[str, Any]]


def door(endpoint: Endpoint, open_site: Callable[[], CourseSite], test_console: Handler) -> Handler:
    """`open_site` is called once in a process's life; a document with `event_type` goes to `test_console`."""
    open_once = cache(open_site)

    def lambda_handler(event: Any, context: Any = None) -> dict[str, Any]:
        if isinstance(event, dict) and "event_type" in event and "requestContext" not in event:
            return test_console(event, context)
        try:
            request = read_request(event)
        except NotHttp as error:
            message = f"{error.reason}; send an HTTP request, or a document with event_type from the test console"
            return write_answer("http", 400, _problem("unreadable", "event", message), {})
        try:
            site = open_once()
            answer = endpoint(site, _site_request(site, request))
        except Exception as error:
            # Only a SettingsError is known to quote nothing that the visitor wrote.
            reason = str(error) if isinstance(error, SettingsError) else type(error).__name__
            logger.error("A request could not be answered", extra={"reason": reason})
            body = _problem("internal", "", "this could not be done just now; please try again")
            return write_answer(request.kind, 500, body, {"Retry-After": "5"})
        return write_answer(request.kind, answer.status, answer.body, answer.headers, answer.cookies)

    return lambda_handler


def _site_request(site: CourseSite, request: HttpRequest) -> SiteRequest:
    facts = request_facts(request.headers, request.peer, site.relay.settings.trusted_proxies)
    return SiteRequest(method=request.method, body=request.body, headers=request.headers, facts=facts, url=request.url)


def _problem(error: str, field: str, message: str) -> dict[str, str]:
    return {"error": error, "field": field, "message": message}
