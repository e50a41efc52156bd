"""RequestFacts from what a server hands over: headers in any case, an ASGI scope, a WSGI environment."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay import RequestFacts

PROXY = [ipaddress.ip_network("10.0.0.0/8")]
GIVEN = {
    "User-Agent": "Mozilla/5.0",
    "Cookie": "_fbp=fb.1.1596403881668.1116446470",
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Proto": "https",
    "Host": "shop.example",
    "Sec-GPC": "1",
}


def asgi(headers: dict[str, str], **scope) -> RequestFacts:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    request = {"type": "http", "method": "GET", "scheme": "http", "path": "/kurs/ü", "query_string": b"fbclid=A%20b"}
    return RequestFacts.from_asgi({**request, "client": ("10.0.0.5", 4711), "headers": raw, **scope}, PROXY)


def wsgi(headers: dict[str, str], **environ) -> RequestFacts:
    raw = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    request = {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "http", "QUERY_STRING": "fbclid=A%20b"}
    path = {"SCRIPT_NAME": "/kurs", "PATH_INFO": "/ü".encode().decode("latin-1")}
    return RequestFacts.from_wsgi({**request, **path, "REMOTE_ADDR": "10.0.0.5", **raw, **environ}, PROXY)


SERVERS = pytest.mark.parametrize("server", [asgi, wsgi], ids=["ASGI", "WSGI"])


@SERVERS
def test_a_request_behind_a_proxy_is_the_visitors_and_its_page_has_the_proxys_scheme(server):
    assert server(GIVEN) == RequestFacts(
        client_ip_address="198.51.100.7",
        client_user_agent="Mozilla/5.0",
        fbp="fb.1.1596403881668.1116446470",
        url="https://shop.example/kurs/%C3%BC?fbclid=A%20b",
        gpc=True,
    )


def test_a_visitor_cannot_write_the_scheme():
    assert asgi(GIVEN, client=("198.51.100.7", 1)).url.startswith("http://shop.example/")
    assert wsgi(GIVEN, REMOTE_ADDR="198.51.100.7").url.startswith("http://shop.example/")


@SERVERS
def test_a_page_knows_where_its_visitor_came_from(server):
    facts = server(GIVEN | {"Referer": "https://search.example/"})
    assert facts.url.startswith("https://shop.example/kurs/") and facts.referrer == "https://search.example/"


@SERVERS
def test_what_a_form_or_a_script_calls_is_no_page(server):
    page = {"Referer": "https://shop.example/checkout"}
    method = {"method": "POST"} if server is asgi else {"REQUEST_METHOD": "POST"}
    assert server(GIVEN | page, **method).url == "https://shop.example/checkout"
    assert server(GIVEN | page | {"Sec-Fetch-Dest": "empty"}).url == "https://shop.example/checkout"


def test_without_anything_nothing_is_known_and_nothing_is_raised():
    assert RequestFacts.from_asgi({}) == RequestFacts.from_wsgi({}) == RequestFacts.from_headers({}) == RequestFacts()


@SERVERS
@given(path=st.text("a/%?# é😀\x00\ud800\udce9") | st.text())  # a byte of another charset may be read as half a pair
def test_whatever_a_path_holds_its_page_is_an_address(server, path):
    found = server(GIVEN, **({"path": f"/{path}"} if server is asgi else {"SCRIPT_NAME": "/", "PATH_INFO": path}))
    assert found.url.isascii() and found.url.startswith("https://shop.example/")


def test_headers_in_any_case_and_in_pairs_are_the_same_headers():
    title = RequestFacts.from_headers(GIVEN, "10.0.0.5", PROXY)
    pairs = [(name.upper(), value) for name, value in GIVEN.items()]
    assert title == RequestFacts.from_headers(pairs, "10.0.0.5", PROXY)
    assert (title.client_user_agent, title.fbp) == ("Mozilla/5.0", "fb.1.1596403881668.1116446470")


def test_a_cookie_header_in_two_parts_is_one():
    """HTTP/2 may send one header for each cookie: https://www.rfc-editor.org/rfc/rfc9113.html#section-8.2.3"""
    facts = RequestFacts.from_headers([("cookie", "a=b"), ("cookie", "_fbp=fb.1.1596403881668.1116446470")])
    assert facts.fbp == "fb.1.1596403881668.1116446470"
