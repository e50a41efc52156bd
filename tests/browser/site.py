"""A website of any name for the tests: pages without inline script under a strict policy, and the files they load.

The browser resolves every name to this machine, so a page has the host, and the cookies, of a real site.
"""

import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.processes import DATASET, free_port

ROOT = Path(__file__).parents[2]
FILES = {
    "/meta-tracking.js": ROOT / "src/meta-tracking.min.js",
    "/pixel.js": ROOT / "conversion_relay/course_site/pages/static/pixel.js",
}
PASSED_ON = ("Origin", "Content-Type", "User-Agent", "Cookie", "Referer")
VISITOR = "81.2.69.142"
HOSTS = ("www.shop.example", "www.shop.co.uk", "a.b.shop.example", "xn--bcher-kva.example", "localhost", "127.0.0.1")


class Site:
    def __init__(self) -> None:
        self.port = free_port()
        self.attributes = ""
        self.endpoint = self.meta = "http://127.0.0.1:1"
        self.has_pixel = True
        self.is_proxy = False
        """The collector lies behind this site's own address, as behind a reverse proxy."""
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self.handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path: str = "/", host: str = HOSTS[0]) -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def origins(self) -> str:
        return ",".join(f"http://{host}:{self.port}" for host in HOSTS)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def page(self) -> str:
        pixel = f'<script src="/pixel.js" data-pixel="{DATASET}" data-endpoint="{self.meta}/tr"></script>'
        collector = "" if self.is_proxy else self.endpoint
        return (
            f"<!doctype html><title>Shop</title><link rel=icon href=data:,>{pixel if self.has_pixel else ''}"
            f'<script src="/meta-tracking.js" data-endpoint="{collector}/events" {self.attributes}></script>'
            '<p>Courses</p><a href="/next">on</a>'
        )

    def policy(self) -> str:
        return (
            f"default-src 'none'; script-src 'self'; connect-src 'self' {self.endpoint}; img-src data: {self.meta};"
            " base-uri 'none'; form-action 'self'"
        )

    def handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                file = FILES.get(urlsplit(self.path).path)
                body = file.read_bytes() if file else site.page().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if file else "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                if not file:
                    self.send_header("Content-Security-Policy", site.policy())
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                """To the collector, with the address of somebody out there."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told = {name: value for name in PASSED_ON if (value := self.headers[name])}
                request = urllib.request.Request(site.endpoint + self.path, body, told | {"X-Forwarded-For": VISITOR})
                try:
                    with urllib.request.urlopen(request) as answer:
                        status, said = answer.status, answer.read()
                except OSError:
                    status, said = 502, b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler
