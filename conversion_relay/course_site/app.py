"""The site in the demo: the four endpoints, and pages that a person can click through."""

import asyncio
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from litestar import Litestar, Request, Response, get, post, route
from litestar.datastructures import State
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from litestar.static_files import create_static_files_router

from conversion_relay import for_purchase, for_registration, request_facts
from conversion_relay.course_site.checkout import Checkout
from conversion_relay.course_site.courses import Course
from conversion_relay.course_site.shop import Registration, Shop
from conversion_relay.course_site.site import CourseSite
from conversion_relay.course_site.web import SiteAnswer, SiteRequest

PAGES = Path(__file__).parent / "pages"
logger = logging.getLogger("conversion_relay.course_site")
MOST_BODY = 1_048_576
AnyRequest = Request[Any, Any, State]


def create_app(site: CourseSite, *, pixel_id: str, emulator_url: str, webhook_secret: str) -> Litestar:
    """`emulator_url` stands for connect.facebook.net on these pages; `webhook_secret` for Stripe's own."""
    shop, pages = site.shop, _Pages(pixel_id, emulator_url)

    def not_found(_: AnyRequest, __: Exception) -> Response[str]:
        return pages.render("not_found.html", status_code=404)

    static = create_static_files_router(path="/static", directories=[PAGES / "static"])
    return Litestar(
        route_handlers=[*_endpoints(site), *_courses(shop, pages), *_payment(shop, pages, webhook_secret), static],
        exception_handlers={NotFoundException: not_found},
        after_exception=[_note_failure],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MOST_BODY,
    )


async def _note_failure(error: Exception, _: Any) -> None:
    """Litestar answers by itself whatever a route raises, and says nothing. An error's text may quote a visitor."""
    if getattr(error, "status_code", 500) >= 500:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        logger.error("A request failed", extra={"error": type(error).__name__, "where": where})


def _endpoints(site: CourseSite) -> list[Any]:
    """What the pages' scripts, the forms and Stripe post to."""

    @route("/register", http_method=["POST", "OPTIONS"])
    async def register(request: AnyRequest) -> ASGIResponse:
        answer = await _call(site.register, request, site.shop)
        return _response(request, answer, next_page=f"/checkout/{answer.body.get('registration_id')}")

    @route("/contact", http_method=["POST", "OPTIONS"])
    async def contact(request: AnyRequest) -> ASGIResponse:
        return _response(request, await _call(site.contact, request, site.shop), next_page="/contact?sent=1")

    @route("/view-content", http_method=["POST", "OPTIONS"])
    async def view_content(request: AnyRequest) -> ASGIResponse:
        return _response(request, await _call(site.view_content, request, site.shop))

    @route(["/payment-webhook", "/webhooks/{provider:str}"], http_method=["POST", "GET", "HEAD"])
    async def payment_webhook(request: AnyRequest) -> ASGIResponse:
        return _response(request, await _call(site.payment_webhook, request, site.shop))

    return [register, contact, view_content, payment_webhook]


def _courses(shop: Shop, pages: "_Pages") -> list[Any]:
    @get("/", sync_to_thread=False)
    def home() -> Response[str]:
        return pages.render("home.html", courses=shop.courses.values())

    @get("/courses/{course_id:str}", sync_to_thread=False)
    def course_page(course_id: FromPath[str]) -> Response[str]:
        return pages.render("course.html", course=_course(shop, course_id))

    @get("/contact", sync_to_thread=False)
    def contact_page(request: AnyRequest) -> Response[str]:
        return pages.render("contact.html", sent="sent" in request.query_params)

    return [home, course_page, contact_page]


def _payment(shop: Shop, pages: "_Pages", webhook_secret: str) -> list[Any]:
    """Stripe Checkout's part, and the way back to the shop."""
    checkout = Checkout(shop, webhook_secret)

    @get("/checkout/{registration_id:str}", sync_to_thread=True)
    def checkout_page(registration_id: FromPath[str]) -> Response[str]:
        registration = _registration(shop, registration_id)
        return pages.render("checkout.html", registration=registration, course=_course(shop, registration.course_id))

    @post("/checkout/{registration_id:str}/pay")
    async def pay(request: AnyRequest, registration_id: FromPath[str]) -> Response[Any]:
        """What Stripe does when the card was charged: its webhook first, then the customer back to the shop."""
        registration = await asyncio.to_thread(_registration, shop, registration_id)
        answer = await asyncio.to_thread(checkout.deliver_webhook, registration, _here(request))
        again = "?again=1" if answer == "duplicate" else ""
        return Response(None, status_code=303, headers={"Location": f"/thanks/{registration_id}{again}"})

    @get("/thanks/{registration_id:str}", sync_to_thread=True)
    def thanks(request: AnyRequest, registration_id: FromPath[str]) -> Response[str]:
        registration = _registration(shop, registration_id)
        return pages.render(
            "thanks.html",
            registration=registration,
            course=_course(shop, registration.course_id),
            ids=[for_registration(registration_id), for_purchase(registration_id)],
            again="again" in request.query_params,
        )

    return [checkout_page, pay, thanks]


class _Pages:
    def __init__(self, pixel_id: str, emulator_url: str) -> None:
        self._environment = jinja2.Environment(loader=jinja2.FileSystemLoader(PAGES), autoescape=True)
        self._environment.globals |= {"pixel_id": pixel_id, "emulator_url": emulator_url}
        self._policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
            f"img-src 'self' data: {emulator_url}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )

    def render(self, name: str, *, status_code: int = 200, **values: Any) -> Response[str]:
        headers = {
            "Content-Security-Policy": self._policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "Cache-Control": "no-store",
        }
        html = self._environment.get_template(name).render(**values)
        return Response(html, status_code=status_code, media_type="text/html", headers=headers)


async def _call(endpoint: Callable[[SiteRequest], SiteAnswer], request: AnyRequest, shop: Shop) -> SiteAnswer:
    """The endpoint works with files and waits for commits, so it runs beside the event loop."""
    return await asyncio.to_thread(endpoint, _site_request(request, await _body(request), shop))


async def _body(request: AnyRequest) -> bytes:
    """Not Litestar's own: to that a visitor who hangs up is an error of the server."""
    parts, size, more = list[bytes](), 0, True
    while more:
        message = await request.receive()
        if message["type"] != "http.request":
            raise ClientException("the connection closed before the body was complete")
        more, size = message["more_body"], size + len(message["body"])
        if size > MOST_BODY:
            raise ClientException(f"send at most {MOST_BODY} bytes", status_code=413, headers={"Connection": "close"})
        parts.append(message["body"])
    return b"".join(parts)


def _site_request(request: AnyRequest, body: bytes, shop: Shop) -> SiteRequest:
    headers: dict[str, str] = {}
    for name, value in request.headers.multi_items():
        separator = "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{separator}{value}" if name in headers else value
    peer = request.client.host if request.client else None
    settings = shop.relay.settings
    facts = request_facts(headers, peer, settings.trusted_proxies, viewer_header=settings.viewer_header)
    # Not `request.url`: Litestar parses the Host header for it, and raises for one that no browser would send.
    query = request.scope["query_string"].decode("latin-1")
    url = f"{request.scope['scheme']}://{headers.get('host', '')}{request.scope['path']}{f'?{query}' if query else ''}"
    return SiteRequest(method=request.method, body=body, headers=headers, facts=facts, url=url)


def _response(request: AnyRequest, answer: SiteAnswer, *, next_page: str | None = None) -> ASGIResponse:
    """JSON; or the way to `next_page` for a form that was sent without JavaScript."""
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    # A list, because a response has one Set-Cookie header for each cookie.
    headers = [*answer.headers.items(), *(("Set-Cookie", cookie) for cookie in answer.cookies)]
    if next_page and is_form and answer.status == 200:
        return ASGIResponse(status_code=303, headers=[*headers, ("Location", next_page)])
    body = b"" if answer.status == 204 or request.method == "HEAD" else msgspec.json.encode(answer.body)
    if answer.text and body:
        return ASGIResponse(body=answer.text, status_code=answer.status, headers=headers, media_type="text/plain")
    return ASGIResponse(body=body, status_code=answer.status, headers=headers)


def _here(request: AnyRequest) -> str:
    host, port = request.scope["server"] or ("127.0.0.1", 80)
    return f"http://{host}:{port}"


def _course(shop: Shop, course_id: str) -> Course:
    course = shop.courses.get(course_id)
    if course is None:
        raise NotFoundException("no such course")
    return course


def _registration(shop: Shop, registration_id: str) -> Registration:
    registration = shop.registrations.find(registration_id)
    if registration is None:
        raise NotFoundException("no such registration")
    return registration
