"""What the routes of the site have in common: bodies, pages of other sites, cookies, and nobody's address."""

import msgspec
import pytest

from conversion_relay import RequestFacts
from conversion_relay.course_site.web import SiteRequest
from tests.course_site.shop import DIGEST, EMAIL, FORM, count, post, register, stored, webhook


@pytest.mark.parametrize("endpoint", ["register", "contact", "view_content"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b'"x"', b"[" * 50_000, b"{" * 50_000])
def test_an_unreadable_body_is_a_400(site, endpoint, body):
    answer = post(getattr(site, endpoint), body)
    assert (answer.status, answer.body["field"]) == (400, "body")
    assert count(site) == 0


def test_a_body_too_large_is_a_413(site):
    assert post(site.register, b" " * 70_000).status == 413


def test_a_visitor_without_cookies_gets_the_browser_id_that_the_event_carries(site):
    answer = post(site.register, FORM, RequestFacts(client_user_agent="Mozilla/5.0"))
    (cookie,) = answer.cookies
    (event,) = stored(site).values()
    assert cookie.startswith(f"_fbp={event['user_data']['fbp']}; ") and "HttpOnly" not in cookie
    assert post(site.register, FORM, RequestFacts(gpc=True)).cookies == ()


def test_another_sites_page_may_not_post_here(site):
    assert post(site.register, FORM, origin="https://evil.example").status == 403
    assert post(site.register, FORM, origin="https://courses.example").headers["Access-Control-Allow-Origin"]
    preflight = site.register(SiteRequest(method="OPTIONS", headers={"origin": "https://courses.example"}))
    assert preflight.status == 204 and "POST" in preflight.headers["Access-Control-Allow-Methods"]
    refused = site.register(SiteRequest(method="GET"))
    assert (refused.status, refused.headers["Allow"]) == (405, "POST, OPTIONS")


def test_an_origin_that_the_settings_name_later_may_post_from_then_on(site):
    settings = site.shop.relay.settings
    (dataset,) = settings.datasets
    more = msgspec.structs.replace(dataset, allowed_origins=frozenset({"https://new.example"}))
    assert post(site.register, FORM, origin="https://new.example").status == 403
    site.shop.relay.use(msgspec.structs.replace(settings, datasets=(more,)))
    assert post(site.register, FORM, origin="https://new.example").status == 200


def test_nobody_is_in_the_outbox_or_in_an_id(site, tmp_path):
    webhook(site, register(site))
    post(site.contact, {"name": "Canaria Personsson", "email": EMAIL, "message": "hello"})
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("outbox.db*") if path.is_file()).lower()
    assert DIGEST.encode() in kept
    assert [c for c in (b"canary", b"canaria", b"personsson", b"7946", b"payer@") if c in kept] == []


@pytest.mark.parametrize("endpoint", ["register", "contact", "view_content"])
def test_the_answer_tells_the_policy_as_the_collectors_does(site, endpoint):
    answer = post(getattr(site, endpoint), b"{", origin="https://courses.example")
    assert answer.headers["X-Relay-Policy"] == "gpc=limit, consent=optional"
    assert "X-Relay-Policy" in answer.headers["Access-Control-Expose-Headers"]
