"""Opens the pages of a plan in headless Chromium, with our collector and Meta's stand-in behind them.

What could go wrong. A page names its real collector and Meta's real pixel, and nothing of a CI run may reach either.
Rewriting the page would test another page than the one that is served.

The rule. Requests are turned aside below the page: those for the collector's paths go to a collector of this process,
`facebook.com/tr` to the stand-in, `fbevents.js` is answered with the stand-in's pixel. Addresses, origins and cookies
stay as the page knows them. The page itself, and whatever else it loads, is fetched as always.
"""

import contextlib
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conversion_relay import emulator
from conversion_relay.cli.expect.judge import Seen, is_complete, judge
from conversion_relay.cli.expect.junit import Outcome
from conversion_relay.cli.expect.plan import Page, Plan
from conversion_relay.cli.serve import Service
from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from conversion_relay.errors import SettingsError
from conversion_relay.settings import Settings

VISITOR = "81.2.69.142"
"""An address as visitors have it: that of this machine would be left out of the events."""
COLLECTOR_PATHS = ("/events", "/visitors", "/withdraw", "/view-content", "/meta-tracking")
PIXEL = Path(emulator.__file__).parent / "fbevents.js"
STEP_MS, OPEN_MS, LOOK_MS = 10_000, 30_000, 50


class Backstage:
    """A collector, a worker and Meta's stand-in on free ports of this machine, over an outbox of their own."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.emulator = create_app()
        self.meta = Server(self.emulator)
        origins = {"{0.scheme}://{0.netloc}".format(urlsplit(page.url)) for page in plan.pages}
        settings = Settings.from_env(
            {
                **plan.settings,
                "META_PIXEL_ID": plan.pixel,
                "META_ACCESS_TOKEN": "expect",
                "META_GRAPH_URL": self.meta.url,
                "RELAY_OUTBOX": f"sqlite:///{folder / 'outbox.db'}",
                "RELAY_BALLAST": "false",
                "RELAY_ALLOWED_ORIGINS": ",".join(sorted(origins)),
                "RELAY_TRUSTED_PROXIES": "127.0.0.1/32",
            }
        )
        self._service = Service(settings)
        self.collector = Server(self._service.collector)

    def start(self) -> None:
        self.meta.start()
        self._service.start()
        self.collector.start()

    def stop(self) -> None:
        self.collector.stop()
        self._service.stop()
        self.meta.stop()

    def seen(self) -> list[Seen]:
        return [Seen(one.event, one.source, one.dataset) for one in self.emulator.store.events]

    def forget(self) -> None:
        self.emulator.store.reset()


def run(plan: Plan) -> Iterator[Outcome]:
    """One page after the other, each in a browser context of its own. Raises SettingsError where no browser is."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise SettingsError("a browser is needed: pip install 'conversion-relay[expect]'") from None
    with tempfile.TemporaryDirectory(prefix="conversion-relay-expect-") as folder, contextlib.ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        own = shutil.which("chromium") or shutil.which("google-chrome")
        try:
            browser = playwright.chromium.launch(executable_path=own, args=["--no-sandbox"])
        except Error as error:
            what = str(error).splitlines()[0]
            raise SettingsError(f"Chromium does not start ({what}): playwright install chromium") from None
        stack.callback(browser.close)
        backstage = Backstage(plan, Path(folder))
        backstage.start()
        stack.callback(backstage.stop)
        for page in plan.pages:
            backstage.forget()
            yield _visit(browser, backstage, plan, page)


def _visit(browser: Any, backstage: Backstage, plan: Plan, page: Page) -> Outcome:
    from playwright.sync_api import Error

    notes: list[str] = []
    context = browser.new_context()
    _turn_aside(context, backstage, plan, notes)
    try:
        tab = context.new_page()
        tab.set_default_timeout(STEP_MS)
        tab.goto(page.url, timeout=OPEN_MS)
        for step in page.do:
            ((verb, what),) = step.items()
            _do(tab, verb, what)
        _wait(tab, backstage, plan, page)
    except Error as error:
        return Outcome(page, [], notes, str(error).splitlines()[0])
    finally:
        context.close()
    return Outcome(page, judge(page.expect, backstage.seen(), plan.pixel), notes)


def _wait(tab: Any, backstage: Backstage, plan: Plan, page: Page) -> None:
    ends_at = time.monotonic() + plan.within
    while time.monotonic() < ends_at and not is_complete(page.expect, backstage.seen()):
        tab.wait_for_timeout(LOOK_MS)  # requests that are turned aside are answered meanwhile
    tab.wait_for_timeout(plan.quiet * 1_000)


def _do(tab: Any, verb: str, what: str | dict[str, str]) -> None:
    if isinstance(what, dict):
        act = {"fill": tab.fill, "select": tab.select_option, "press": tab.press}[verb]
        for selector, text in what.items():
            act(selector, text)
        return
    {
        "click": tab.click,
        "check": tab.check,
        "wait_for": tab.wait_for_selector,
        "goto": tab.goto,
        "evaluate": tab.evaluate,
    }[verb](what)


def _turn_aside(context: Any, backstage: Backstage, plan: Plan, notes: list[str]) -> None:
    def is_collector(url: str) -> bool:
        return url.startswith(f"{plan.collector}/") and urlsplit(url).path.startswith(COLLECTOR_PATHS)

    def to_collector(route: Any) -> None:
        parts = urlsplit(route.request.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = dict(route.request.all_headers())
        headers |= {"x-forwarded-for": VISITOR, "x-forwarded-proto": parts.scheme}
        status, told, body = _ask(backstage.collector.url + path, route.request.method, headers, _body_of(route))
        if status >= 400:
            reason = next((value for name, value in told.items() if name.lower() == "x-relay-reason"), "")
            notes.append(f"the collector answered {status} {reason} to {parts.path}".replace("  ", " "))
        route.fulfill(status=status, headers=told, body=body)

    def to_pixel(route: Any) -> None:
        query = urlsplit(route.request.url).query
        # A beacon is in parts, and its content type alone tells where one part ends.
        kind = {"content-type": found} if (found := route.request.headers.get("content-type")) else {}
        status, told, body = _ask(f"{backstage.meta.url}/tr?{query}", route.request.method, kind, _body_of(route))
        route.fulfill(status=status, headers=told, body=body)

    def script(route: Any) -> None:
        is_main = urlsplit(route.request.url).path.endswith("/fbevents.js")
        route.fulfill(content_type="text/javascript", body=PIXEL.read_text("utf-8") if is_main else "")

    context.route(is_collector, to_collector)
    context.route(lambda url: _is_of(url, "facebook.com") and urlsplit(url).path.rstrip("/") == "/tr", to_pixel)
    if plan.pixel_script == "stand-in":
        context.route(lambda url: _is_of(url, "connect.facebook.net"), script)


def _is_of(url: str, host: str) -> bool:
    name = urlsplit(url).hostname or ""
    return name == host or name.endswith(f".{host}")


def _body_of(route: Any) -> bytes | None:
    body: bytes | None = route.request.post_data_buffer
    return body


def _ask(url: str, method: str, headers: dict[str, str], body: bytes | None) -> tuple[int, dict[str, str], bytes]:
    """Of our own servers on this machine."""
    kept = {name: value for name, value in headers.items() if name not in _OF_THE_CONNECTION and name[:1] != ":"}
    request = urllib.request.Request(url, body, kept, method=method)  # noqa: S310 - our own address
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()
    except OSError:
        return 502, {}, b""


_OF_THE_CONNECTION = frozenset({"host", "content-length", "connection", "accept-encoding", "transfer-encoding"})


def all_ok(outcomes: Sequence[Outcome]) -> bool:
    return all(outcome.is_ok for outcome in outcomes)
