"""What `doctor --page` sees of a page in a headless browser: our script, the pixel, both sides' ids, Meta's own mirror,
and how long Safari will keep the cookies.

Needs playwright and a Chromium, which no installation needs otherwise; without them it says so. Nothing is clicked, so
only what the page sends when it is opened is seen.
"""

import contextlib
import json
import shutil
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec

from conversion_relay.cli.checks import Check
from conversion_relay.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

OPENS_MS, QUIET_MS = 20_000, 4_000
AUTOMATIC = ("Microdata", "SubscribedButtonClick")
"""What Meta's script sends by itself, without an id and past `fbq`: nobody else can send it."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOOK = """
() => ({
  debug: window.MetaTracking ? window.MetaTracking.debug.map(String) : null,
  endpoint: window.MetaTracking ? new URL(window.MetaTracking.endpoint, location.href).href : "",
  takes_cookies: window.MetaTracking?.credentials === "include",
  has_pixel: typeof window.fbq === "function",
})
"""
SAME_HOST = (
    "let the site's own web server pass a path of the site on to the collector, name it in data-endpoint, and set"
    " RELAY_SET_COOKIES=true"
)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A page after it was opened and fell quiet."""

    debug: list[str] | None
    """What our script noted; None where it is not there."""
    endpoint: str
    """Where our script posts events to."""
    answer: int | None
    """The status of what the collector said last; 0 where nothing came, None where nothing was posted."""
    takes_cookies: bool
    """Whether the browser keeps what that host sets, where it is not the page's own."""
    has_pixel: bool
    pixel: set[tuple[str, str, str]]
    """Pixel id, event name, event id, of each image that the pixel asked for."""
    server: set[tuple[str, str]]
    """Event name, event id, of each event that went to the collector."""
    fbp: str | None
    """The domain of the cookie `_fbp`."""

    @property
    def collector(self) -> str:
        """Its host."""
        return urlsplit(self.endpoint).hostname or ""


def page_checks(url: str, settings: Settings) -> Iterator[Check]:
    seen = _visit(url)
    if isinstance(seen, Check):
        yield seen
        return
    yield _script(seen)
    yield from _collector(seen)
    yield _pixel(seen, settings)
    if seen.debug is not None:
        yield _ids(seen)
        yield from _hosted_mirror(seen)
        yield _cookies(seen, urlsplit(url).hostname or "", settings)


def _visit(url: str) -> Seen | Check:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        fix = "pip install 'conversion-relay[expect]' && playwright install chromium"
        return Check(name="page", state="skipped", what="no browser here", fix=fix)
    requests: list[tuple[str, str]] = []
    answers: dict[str, int] = {}
    chromium = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            # Meta's script sends nothing from a browser that calls itself headless, and says nothing about it.
            context = browser.new_context(user_agent=_agent(browser.new_page()))
            page = context.new_page()
            page.on("request", lambda request: requests.append((request.url, _body(request))))
            page.on("requestfailed", lambda request: answers.update({f"{request.method} {request.url}": 0} | answers))
            page.on("response", lambda said: answers.update({f"{said.request.method} {said.url}": said.status}))
            page.goto(url, wait_until="load", timeout=OPENS_MS)
            with contextlib.suppress(Error):  # a page that never falls quiet was looked at for long enough
                page.wait_for_load_state("networkidle", timeout=QUIET_MS)
            looked = page.evaluate(LOOK)
            fbp = next((cookie["domain"] for cookie in context.cookies() if cookie["name"] == "_fbp"), None)
            browser.close()
    except Error as error:
        first = str(error).splitlines()[0]
        if "Executable doesn't exist" in str(error):
            return Check(name="page", state="skipped", what="no browser here", fix="playwright install chromium")
        return Check(name="page", state="error", what=f"the page cannot be opened: {first}", fix="check its URL")
    pixel = {told for address, body in requests if _path(address) == "/tr" for told in _told(address, body)}
    server = {pair for address, body in requests if address == looked["endpoint"] for pair in _sent(body)}
    return Seen(**looked, answer=answers.get(f"POST {looked['endpoint']}"), pixel=pixel, server=server, fbp=fbp)


def _body(request: object) -> str:
    try:
        return getattr(request, "post_data", None) or ""
    except UnicodeDecodeError:
        return ""


def _agent(page: "Page") -> str:
    agent: str = page.evaluate("navigator.userAgent")
    return agent.replace("Headless", "")


def _path(url: str) -> str:
    return urlsplit(url).path.rstrip("/")


def _told(url: str, body: str) -> Iterator[tuple[str, str, str]]:
    """What is too long for an address is sent as a form."""
    query = {name: values[0] for text in (body, urlsplit(url).query) for name, values in parse_qs(text).items()}
    if query.get("ev", AUTOMATIC[0]) not in AUTOMATIC:
        yield query.get("id", ""), query["ev"], query.get("eid", "")


def _sent(body: str) -> Iterator[tuple[str, str]]:
    try:
        document = json.loads(body)
    except ValueError:
        return
    events = document.get("data", [document]) if isinstance(document, dict) else document
    for event in events if isinstance(events, list) else []:
        if isinstance(event, dict):
            yield str(event.get("event_name", "")), str(event.get("event_id", ""))


def _script(seen: Seen) -> Check:
    if seen.debug is None:
        tag = '<script src="https://RELAY/meta-tracking.min.js" data-endpoint="https://RELAY/events"></script>'
        return Check(name="script", state="error", what="meta-tracking.js is not on this page", fix=f"add {tag}")
    if "loaded twice" in seen.debug:
        fix = "take one of the two tags out; a tag manager may hold the other"
        return Check(name="script", state="warning", what="meta-tracking.js is on this page twice", fix=fix)
    return Check(name="script", state="ok", what="meta-tracking.js runs")


def _collector(seen: Seen) -> Iterator[Check]:
    """Only what is wrong: a page's console shows it to nobody who looks at the page."""
    # What the page's own policy forbids is no request; our script notes it.
    silent = any(line.endswith("not reached") for line in seen.debug or ())
    answer = 0 if seen.answer is None and silent else seen.answer
    if answer is None or 200 <= answer < 300:
        return
    where = urlsplit(seen.endpoint)
    address = f"{where.scheme}://{where.netloc}{where.path}"
    if answer == 0:
        what = f"nobody answers the page at {address}"
        fix = "look at the name, its certificate, and the page's Content-Security-Policy (connect-src)"
    elif answer == 403:
        what = f"{address} refuses the page: 403"
        fix = "name the page's origin in RELAY_ALLOWED_ORIGINS; where it is there, look at what stands before the relay"
    elif answer in (404, 405) and not where.path.endswith("/events"):
        what = f"{address} takes no events: {answer}"
        fix = "data-endpoint is the whole address, https://RELAY/events"
    else:
        what = f"{address} takes no event of this page: {answer}"
        fix = "its answer in the browser's network panel says why"
    yield Check(name="collector", state="error", what=what, fix=fix)


def _pixel(seen: Seen, settings: Settings) -> Check:
    if not seen.has_pixel:
        return Check(name="pixel", state="warning", what="no pixel here: Meta gets the server's side alone")
    if {pixel for pixel, _, _ in seen.pixel} - {dataset.pixel_id for dataset in settings.datasets}:
        fix = "give pixel and server the same id, else Meta counts both"
        return Check(name="pixel", state="error", what="the pixel's id is not a configured dataset", fix=fix)
    return Check(name="pixel", state="ok", what="the pixel is there")


def _ids(seen: Seen) -> Check:
    pixel = {(name, event_id) for _, name, event_id in seen.pixel}
    if not pixel and not seen.server:
        states = [line.removeprefix("consent ") for line in seen.debug or () if line.startswith("consent ")]
        why = f" (consent: {states[-1]})" if states and states[-1] != "open" else ""
        return Check(name="ids", state="skipped", what=f"the page sent no event when it was opened{why}")
    alone = sorted({name for name, _ in pixel ^ seen.server})
    if not alone:
        return Check(name="ids", state="ok", what=f"{len(pixel)} events with the same id on both sides")
    if not seen.has_pixel:
        return Check(name="ids", state="ok", what=f"{len(seen.server)} events went to the server")
    what = f"pixel and server sent different ids, or one of them nothing: {', '.join(alone)}"
    fix = "send each event with MetaTracking.track alone, or mirror the pixel (data-mirror, our tag before its snippet)"
    return Check(name="ids", state="error", what=what, fix=fix)


def _hosted_mirror(seen: Seen) -> Iterator[Check]:
    if any("optinMetaEnabledCapi" in line for line in seen.debug or ()):
        what = (
            "Meta's own hosted Conversions API mirrors this pixel, too: a third copy, which consent here does not stop"
        )
        fix = "switch it off in Events Manager, or take optinMetaEnabledCapi out of the page"
        yield Check(name="hosted mirror", state="warning", what=what, fix=fix)


def _cookies(seen: Seen, site: str, settings: Settings) -> Check:
    """What Safari does: https://webkit.org/tracking-prevention/ and docs/browser.md, "Cookies that last"."""
    if seen.fbp is None:
        return Check(name="cookies", state="skipped", what="the page set no _fbp: nothing is stored before consent")
    if not settings.set_cookies:
        what = "the page's script alone writes _fbp and _fbc: Safari drops them 24 hours after a click on an ad"
        return Check(name="cookies", state="warning", what=what, fix=SAME_HOST)
    if not f".{seen.collector}".endswith(f".{seen.fbp.lstrip('.')}"):
        what = "the collector is of another site than the page: browsers drop the cookies that it sets"
        return Check(name="cookies", state="warning", what=what, fix=SAME_HOST)
    if seen.collector != site and not seen.takes_cookies:
        what = "the collector is not the page's own host: browsers drop the cookies that it sets"
        return Check(name="cookies", state="warning", what=what, fix=f'add data-credentials="include", or {SAME_HOST}')
    ours, theirs = _network(site), _network(seen.collector)
    if seen.collector != site and ours and theirs and ours != theirs:
        what = "collector and page are in different networks: Safari keeps _fbp and _fbc for 7 days"
        return Check(name="cookies", state="warning", what=what, fix=SAME_HOST)
    return Check(name="cookies", state="ok", what="_fbp is set, and the collector renews it for 90 days, in Safari too")


def _network(host: str) -> str | None:
    """The first half of its IPv4 address, which is what Safari compares."""
    try:
        return ".".join(socket.gethostbyname(host).split(".")[:2])
    except OSError:
        return None
