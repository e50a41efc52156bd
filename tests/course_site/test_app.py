"""The demo's site over HTTP: what a browser gets that the endpoints themselves do not decide."""

import json
from urllib.parse import urlencode

import pytest

from conversion_relay.cli.webhook_samples import sample
from conversion_relay.course_site.app import create_app
from tests.asgi import run
from tests.course_site.shop import FORM, NOW, SECRET, register
from tests.payments.signing import form_of

CLASSIC = "application/x-www-form-urlencoded"


class Reply:
    """What came back. `headers` with every header of a repeated name."""

    def __init__(self, messages: list[dict]) -> None:
        self.status = messages[0]["status"]
        self.headers = [(name.decode(), value.decode("latin-1")) for name, value in messages[0]["headers"]]
        self.body = b"".join(message.get("body", b"") for message in messages[1:])

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name]


@pytest.fixture
def demo(site):
    """Calls the site as an ASGI server does: header values are bytes that nobody has looked at."""
    app = create_app(site, pixel_id="1", emulator_url="http://127.0.0.1:1", webhook_secret=SECRET)

    def call(method: str, path: str, body: bytes = b"", query: bytes = b"", **headers: str) -> Reply:
        named = {"host": "courses.example", "user_agent": "Mozilla/5.0"} | headers
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": query,
            "headers": [(n.replace("_", "-").encode(), v.encode("latin-1")) for n, v in named.items() if v is not None],
            "client": ("198.51.100.7", 50_000),
            "server": ("127.0.0.1", 8000),
        }
        sent: list[dict] = []

        async def receive() -> dict:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict) -> None:
            sent.append(message)

        run(app(scope, receive, send))
        return Reply(sent)

    return call


def test_a_visitor_from_an_ad_gets_both_cookies(demo):
    page = "https://courses.example/courses/watercolour?fbclid=AbC"
    reply = demo("POST", "/register", json.dumps(FORM).encode(), referer=page)
    names = sorted(cookie.partition("=")[0] for cookie in reply.all("set-cookie"))
    assert (reply.status, names) == (200, ["_fbc", "_fbp"])
    assert all("Path=/" in cookie and "SameSite=Lax" in cookie for cookie in reply.all("set-cookie"))


def test_a_classic_form_goes_on_to_the_next_page_with_both_cookies(demo):
    page = "https://courses.example/courses/watercolour?fbclid=AbC"
    reply = demo("POST", "/register", urlencode(FORM).encode(), content_type=CLASSIC, referer=page)
    assert reply.status == 303 and reply.all("location")[0].startswith("/checkout/")
    assert sorted(cookie.partition("=")[0] for cookie in reply.all("set-cookie")) == ["_fbc", "_fbp"]


@pytest.mark.parametrize("path", ["/register", "/contact", "/view-content"])
def test_a_form_of_more_than_fifty_fields_is_told_so(demo, path):
    fields = urlencode(FORM | {f"more{n}": "x" for n in range(60)}).encode()
    reply = demo("POST", path, fields, content_type=CLASSIC)
    document = json.loads(reply.body)
    assert (reply.status, document["error"], document["field"]) == (400, "too_many_fields", "body")


@pytest.mark.parametrize("path", ["/register", "/contact", "/view-content"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
@pytest.mark.parametrize(
    "origin",
    [
        "http://[::1",
        "http://[",
        "null",
        "",
        " ",
        "http://é.example",
        "https://courses.example:99999",
        "//x",
        "http://%",
    ],
)
def test_an_odd_origin_is_refused_and_is_no_error_of_ours(demo, path, method, origin):
    reply = demo(method, path, json.dumps(FORM).encode(), origin=origin)
    if method == "OPTIONS":
        assert reply.status == 204 and reply.all("access-control-allow-origin") == []
    else:
        assert (reply.status, json.loads(reply.body)["error"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize("host", [None, "", "[::1", "[", "é.example", "a b", "x:y", "courses.example:99999999"])
@pytest.mark.parametrize("path", ["/register", "/contact", "/view-content", "/payment-webhook"])
def test_an_odd_host_is_no_error_of_ours(demo, path, host):
    assert demo("POST", path, json.dumps(FORM).encode(), host=host, origin=None).status < 500
    assert demo("POST", path, json.dumps(FORM).encode(), host=host, origin="http://courses.example").status < 500


def test_a_platform_that_tries_the_address_and_reads_no_json_is_a_payment_provider_too(demo, site, monkeypatch):
    monkeypatch.setattr(site.shop, "secrets_of", lambda provider: [SECRET])
    registration = register(site)
    raw = form_of(sample("digistore24", "paid", NOW - 9) | {"custom": registration}, SECRET)
    for method, body, said in (("GET", b"", b"OK"), ("HEAD", b"", b""), ("POST", raw, b"OK")):
        reply = demo(method, "/webhooks/digistore24", body)
        assert (reply.status, reply.body) == (200, said)
    assert reply.all("content-type") == ["text/plain; charset=utf-8"]
    assert site.shop.registrations.find(registration).paid_at == NOW - 9
    assert json.loads(demo("GET", "/payment-webhook").body) == {"message": "ready"}
    assert demo("GET", "/webhooks/nobody").status == 404 and demo("PUT", "/payment-webhook").status == 405


@pytest.mark.parametrize("value", ["http://[::1", "\xff\xfe", "a" * 10_000, "http://x/?fbclid=\xe9", "=;=;_fbp", "%ff"])
@pytest.mark.parametrize("header", ["referer", "cookie", "user_agent", "content_type", "x_forwarded_for", "sec_gpc"])
def test_whatever_a_header_holds_is_no_error_of_ours(demo, header, value):
    assert demo("POST", "/register", json.dumps(FORM).encode(), **{header: value}).status < 500


def test_a_page_that_is_not_there_is_a_page_that_says_so(demo):
    for path in ("/nowhere", "/courses/nowhere", "/checkout/nobody", "/thanks/nobody"):
        reply = demo("GET", path)
        assert reply.status == 404 and b"<html" in reply.body


def test_the_pages_are_served_with_a_strict_policy(demo):
    for path in ("/", "/courses/watercolour", "/contact"):
        reply = demo("GET", path)
        assert reply.status == 200 and "default-src 'none'" in reply.all("content-security-policy")[0]
