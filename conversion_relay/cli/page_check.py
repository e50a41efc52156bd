"""What `doctor --page` sees of a page in a headless browser: our script, the pixel, both sides' ids, the cookies.

Needs playwright and a Chromium, which no installation needs otherwise; without them it says so. Nothing is clicked, so
only what the page sends when it is opened is seen.
"""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from conversion_relay.cli.checks import Check
from conversion_relay.settings import Settings

WAIT_MS = 4_000
SAFARI_DAYS = 7


def page_checks(url: str, settings: Settings) -> Iterator[Check]:
    seen = _visit(url)
    if isinstance(seen, Check):
        yield seen
        return
    yield _script(seen)
    yield _pixel(seen, settings)
    yield _ids(seen)
    yield from _cookies(seen, url)


def _visit(url: str) -> dict[str, Any] | Check:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return Check(
            name="page",
            state="skipped",
            what="no browser here",
            fix="pip install playwright && playwright install chromium",
        )
    requests: list[tuple[str, str]] = []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(args=["--no-sandbox"])
            context = browser.new_context()
            page = context.new_page()
            page.on("request", lambda request: requests.append((request.url, _body(request))))
            page.goto(url, wait_until="load", timeout=20_000)
            page.wait_for_timeout(WAIT_MS)
            seen = page.evaluate("({ours: typeof window.MetaTracking, pixel: typeof window.fbq})")
            cookies = context.cookies()
            browser.close()
    except Error as error:
        return Check(
            name="page",
            state="error",
            what=f"the page cannot be opened: {str(error).splitlines()[0]}",
            fix="check its URL",
        )
    return {**seen, "requests": requests, "cookies": cookies}


def _body(request: Any) -> str:
    try:
        return request.post_data or ""
    except UnicodeDecodeError:
        return ""


def _script(seen: dict[str, Any]) -> Check:
    if seen["ours"] == "undefined":
        fix = (
            'add <script src="https://COLLECTOR/meta-tracking.min.js" data-endpoint="https://COLLECTOR" defer></script>'
        )
        return Check(name="script", state="error", what="meta-tracking.js is not on this page", fix=fix)
    return Check(name="script", state="ok", what="meta-tracking.js runs")


def _pixel(seen: dict[str, Any], settings: Settings) -> Check:
    if seen["pixel"] == "undefined":
        return Check(name="pixel", state="warning", what="no pixel here: Meta gets the server's side alone")
    ids = {
        pixel for url, _ in seen["requests"] if _is_pixel(url) for pixel in parse_qs(urlsplit(url).query).get("id", [])
    }
    strange = ids - {dataset.pixel_id for dataset in settings.datasets}
    if strange:
        fix = "give pixel and server the same id, else Meta counts both"
        return Check(name="pixel", state="error", what="the pixel's id is not a configured dataset", fix=fix)
    return Check(name="pixel", state="ok", what="the pixel is there")


def _ids(seen: dict[str, Any]) -> Check:
    pixel = {(name, eid) for url, _ in seen["requests"] if _is_pixel(url) for name, eid in [_of_pixel(url)] if eid}
    server = {
        pair for url, body in seen["requests"] if urlsplit(url).path.endswith("/events") for pair in _of_server(body)
    }
    if not pixel and not server:
        return Check(name="ids", state="skipped", what="the page sent no event when it was opened")
    alone = sorted({name for name, _ in pixel ^ server})
    if alone:
        what = f"pixel and server sent different ids, or one of them nothing: {', '.join(alone)}"
        return Check(
            name="ids",
            state="error",
            what=what,
            fix="send each event with MetaTracking.track alone: it gives both the same id",
        )
    return Check(name="ids", state="ok", what=f"{len(pixel)} events with the same id on both sides")


def _is_pixel(url: str) -> bool:
    parts = urlsplit(url)
    return parts.path.rstrip("/") == "/tr"


def _of_pixel(url: str) -> tuple[str, str]:
    query = parse_qs(urlsplit(url).query)
    return query.get("ev", [""])[0], query.get("eid", [""])[0]


def _of_server(body: str) -> list[tuple[str, str]]:
    try:
        data = json.loads(body)
    except ValueError:
        return []
    events = data.get("data", [data]) if isinstance(data, dict) else data
    found = [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    return [(str(event.get("event_name", "")), str(event.get("event_id", ""))) for event in found]


def _cookies(seen: dict[str, Any], url: str) -> Iterator[Check]:
    """Safari keeps a cookie for 7 days that a script set, or that came from another network than the page:
    https://webkit.org/blog/9521/intelligent-tracking-prevention-2-3/"""
    collectors = {urlsplit(u).hostname for u, _ in seen["requests"] if urlsplit(u).path.endswith("/events")} - {None}
    site = urlsplit(url).hostname
    for collector in sorted(str(host) for host in collectors):
        ours, theirs = _network(collector), _network(site or "")
        if collector != site and ours and theirs and ours != theirs:
            what = f"collector and page are on different networks: Safari keeps _fbp and _fbc for {SAFARI_DAYS} days"
            yield Check(
                name="cookies",
                state="warning",
                what=what,
                fix="serve the collector from the site's own host, behind the same proxy",
            )
    if any(cookie["name"] == "_fbp" for cookie in seen["cookies"]):
        yield Check(name="cookies", state="ok", what="_fbp is set")


def _network(host: str) -> str | None:
    """The first half of its IPv4 address, which is what Safari compares."""
    try:
        return ".".join(socket.gethostbyname(host).split(".")[:2])
    except OSError:
        return None
