"""`make links` finds the addresses that the documents name, and tells those that do not answer."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.documents.links import addresses, answer, texts


@pytest.fixture
def site():
    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(int(self.path[1:]))
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("status", "why"), [(200, None), (403, None), (429, None), (404, "404"), (500, "500")])
def test_an_address_that_does_not_answer_is_told_with_its_reason(site, status, why):
    assert answer(f"{site}/{status}") == why


def test_nobody_there_is_told():
    assert "refused" in (answer("http://127.0.0.1:1/") or "")


def test_an_address_is_found_once_a_page_without_what_ends_the_sentence():
    pages = [("a.md", "[x](https://sqlite.org/wal.html#top), https://sqlite.org/wal.html."), ("b.md", "no link")]
    assert addresses(pages) == {"https://sqlite.org/wal.html": ["a.md"]}
    assert addresses([("a.md", "https://shop.example/a https://www.example.com/ https://relay.your-site.test/")]) == {}


def test_metas_pages_are_among_those_of_this_project():
    assert any(address.startswith("https://developers.facebook.com/docs/") for address in addresses(texts()))
