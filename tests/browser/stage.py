"""A shop, a collector and Meta under three names of one real server, for what only real requests show: a page's
policies, pages that are opened beforehand or kept in memory, cookies of other sites, links that leave.

Nothing is intercepted, since a browser that is watched so closely keeps no page in memory. What arrived is kept here.
"""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.browser.chromium import SWITCHES, chromium_path
from tests.browser.site import ROOT
from tests.processes import free_port, until

FILES = {
    "/snippet.js": ROOT / "tests/browser/snippet.js",
    "/fbevents.js": ROOT / "conversion_relay/emulator/fbevents.js",
    "/meta-tracking.js": ROOT / "src/meta-tracking.min.js",
    "/mirror.js": ROOT / "src/meta-tracking.mirror.min.js",
}
PIXEL = "1232612085335834"


class Post(NamedTuple):
    path: str
    body: dict
    headers: dict[str, str]


class Stage:
    def __init__(self) -> None:
        self.port = free_port()
        self.reset()
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        self.attributes, self.script, self.more = "", "/meta-tracking.js", ""
        self.collector, self.meta = "relay.example", "meta.example"
        self.head = ""
        """In place of our script and the pixel's snippet."""
        self.headers: dict[str, str] = {}
        self.status = 202
        self.posts: list[Post] = []
        self.images: list[dict[str, str]] = []
        self.opened: list[str] = []
        self.scripts = {"/init.js": f"fbq('init', '{PIXEL}');"}
        """Small files, by path."""
        self.cue = threading.Event()
        """The answer to /cue waits for it: a page that nobody drives is told to go on, what is posted is on its way."""

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def url(self, path: str = "/", host: str = "www.shop.example") -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def ours(self) -> str:
        collector = self.url("/events", self.collector)
        return f'<script src="{self.script}" data-endpoint="{collector}" {self.attributes}></script>'

    @property
    def snippet(self) -> str:
        meta = self.url("/tr", self.meta)
        return f'<script src="/snippet.js" data-src="/fbevents.js" data-endpoint="{meta}"></script>'

    def page(self) -> str:
        snippet = (
            f'<script src="/snippet.js" data-src="/fbevents.js" data-endpoint="{self.url("/tr", "meta.example")}">'
        )
        scripts = self.head or self.ours + snippet + '</script><script src="/init.js"></script>'
        head = '<!doctype html><html lang=en><meta charset=utf-8><title>Shop</title><link rel=icon href="data:,">'
        body = f'<body><main><h1>Courses</h1><a id=on href="/next">on</a>{self.more}</main></body></html>'
        return head + scripts + body

    # What arrived.

    def events(self, name: str | None = None) -> list[dict]:
        found = [event for post in list(self.posts) for event in post.body.get("data", [])]
        return [event for event in found if name in (None, event["event_name"])]

    def pixel_ids(self, name: str | None = None) -> list[str]:
        return [image.get("eid", "") for image in list(self.images) if name in (None, image["ev"])]

    def both(self, name: str, n: int) -> list[dict]:
        """So many of that name on each side, under the same ids, once they are there."""

        def found() -> bool:
            return len(self.events(name)) >= n and len(self.pixel_ids(name)) >= n

        until(found, 20, every=0.02)
        events = self.events(name)
        assert sorted(event["event_id"] for event in events) == sorted(self.pixel_ids(name)), (events, self.images)
        assert len({event["event_id"] for event in events}) == len(events) == n
        return events

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stage = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                text = stage.scripts.get(parts.path)
                if parts.path == "/tr":
                    stage.images.append(dict(parse_qsl(parts.query)))
                    self._answer("image/gif", b"", {})
                elif parts.path in FILES or text is not None:
                    body = FILES[parts.path].read_bytes() if text is None else text.encode()
                    self._answer("text/javascript", body, {})
                elif parts.path == "/cue":
                    stage.cue.wait(60)
                    self._answer("text/plain", b"", {})
                else:
                    stage.opened.append(self.headers.get("Sec-Purpose", "") + self.path)
                    self._answer("text/html; charset=utf-8", stage.page().encode(), stage.headers)

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/tr":  # what is too long for an image
                    stage.images.append(dict(parse_qsl(raw.decode())))
                    self._answer("text/html", b"", {})
                    return
                body = json.loads(raw)
                if self.path == "/cue":
                    stage.cue.wait(60)
                stage.posts.append(Post(urlsplit(self.path).path, body, dict(self.headers)))
                readable = {
                    "Access-Control-Allow-Origin": self.headers.get("Origin", "*"),
                    "Access-Control-Allow-Credentials": "true",
                    "Access-Control-Expose-Headers": "X-Relay-Policy",
                }
                self._answer("application/json", b"{}", readable | {"X-Relay-Policy": "gpc=limit"}, stage.status)

            def _answer(self, kind: str, body: bytes, headers: dict[str, str], status: int = 200) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler


@contextmanager
def undriven(url: str) -> Iterator[None]:
    """A browser that nobody drives: one that is keeps no page in memory, and runs none beforehand."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [chromium_path(), *SWITCHES, "--headless=new", "--no-first-run", f"--user-data-dir={folder}", url]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            browser.terminate()
            browser.wait(60)
