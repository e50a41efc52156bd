"""A shop with a pixel of its own, a collector and Meta, all intercepted: what each was told, and what the page said."""

import json

from playwright.sync_api import Browser, Page, Route

from tests.browser.site import ROOT

HERE = "http://www.shop.example"
META, COLLECTOR = "http://meta.example/tr", "http://relay.example/events"
FILES = {
    "snippet.js": ROOT / "tests/browser/snippet.js",
    "fbevents.js": ROOT / "conversion_relay/emulator/fbevents.js",
    "meta-tracking.js": ROOT / "src/meta-tracking.mirror.min.js",
    "plain.js": ROOT / "src/meta-tracking.min.js",
}
PATIENCE = "1e4"
"""Milliseconds, as the script has them."""
ONE, TWO = "1232612085335834", "222222222222222"
OURS = f'<script src="/meta-tracking.js" data-endpoint="{COLLECTOR}" data-mirror {{}}></script>'
SNIPPET = f'<script src="/snippet.js" data-src="/fbevents.js" data-endpoint="{META}"></script>'
BASE = f"fbq('init', '{ONE}', {{em: 'Joe@Example.com ', external_id: '77'}}); fbq('track', 'PageView');"


class Shop:
    """Pages of a site of others, and what left them."""

    def __init__(self, browser: Browser) -> None:
        self.context = browser.new_context()
        self.head = OURS.format("") + SNIPPET
        self.base = BASE
        self.policy = "gpc=limit, consent=optional"
        self.pixel_comes_last = False
        """After the page's own scripts, wherever they stand; else whichever the network brings first."""
        self._held: list[Route] | None = []
        """The pixel's scripts until the page's own have run; None: none is held any more."""
        self.posts: list[dict] = []
        self.images: list[str] = []
        self.said: list[str] = []
        self.context.route("**/*", self._answer)
        self.page = self.context.new_page()
        self.page.on("console", lambda line: self.said.append(line.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def _answer(self, route, request) -> None:
        name = request.url.split("?")[0].rpartition("/")[2]
        if request.url.startswith("http://relay.example"):
            self.posts.append({"url": request.url, "body": json.loads(request.post_data or "null")})
            headers = {"X-Relay-Policy": self.policy, "Access-Control-Expose-Headers": "X-Relay-Policy"}
            route.fulfill(status=202, headers=headers | {"Access-Control-Allow-Origin": "*"}, body="{}")
        elif request.url.startswith(META):
            self.images.append(request.url)
            route.fulfill(status=200, content_type="image/gif", body=b"")
        elif name == "fbevents.js" and self.pixel_comes_last and self._held is not None:
            self._held.append(route)
        elif name in FILES:
            _give_script(route, name)
        else:
            body = (
                f"<!doctype html><title>Shop</title><link rel=icon href=data:,>{self.head}<script>{self.base}</script>"
            )
            route.fulfill(status=200, content_type="text/html", body=body + "<p>Courses</p>")

    def open(self, path: str = "/") -> Page:
        self._held = []
        self.page.goto(HERE + path, wait_until="domcontentloaded")
        held, self._held = self._held, None
        for route in held:
            _give_script(route, "fbevents.js")
        self.page.wait_for_load_state("load")
        return self.page

    def events(self) -> list[dict]:
        return [event for post in self.posts for event in (post["body"] or {}).get("data", [])]

    def ids(self) -> list[tuple[str, str]]:
        return sorted((event["event_name"], event["event_id"]) for event in self.events())

    def pixel(self) -> list[dict]:
        return self.page.evaluate("window.fbevents_sent || []")

    def pixel_ids(self) -> list[tuple[str, str]]:
        return sorted((query["ev"], query.get("eid", "")) for query in self.pixel())

    def call(self, *calls: list) -> None:
        self.page.evaluate("calls => calls.forEach(call => fbq(...call))", list(calls))

    def wait(self, server: int, pixel: int) -> None:
        ready = "n => (window.fbevents_sent || []).length >= n"
        self.page.wait_for_function(ready, arg=pixel)
        for _ in range(1_000):
            if len(self.events()) >= server:
                break
            self.page.wait_for_timeout(10)
        self.page.evaluate("new Promise(done => setTimeout(() => setTimeout(done)))")


def _give_script(route: Route, name: str) -> None:
    """A busy machine may take longer to answer than our script waits until it sends an event again."""
    body = FILES[name].read_text().replace(PATIENCE, "1e6")
    route.fulfill(status=200, content_type="text/javascript", body=body)
