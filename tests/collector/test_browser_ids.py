"""Where the collector sets cookies: the domain that it shares with the page, by the list of public suffixes."""

import re

import pytest

from conversion_relay import CookieSite, RequestFacts, Settings
from conversion_relay.collector.browser_ids import browser_ids, site_of
from conversion_relay.collector.door import Admitted


@pytest.mark.parametrize(
    ("host", "origin", "site"),
    [
        ("relay.shop.example", "https://www.shop.example", CookieSite("shop.example", 1)),
        ("relay.shop.co.uk", "https://www.shop.co.uk", CookieSite("shop.co.uk", 2)),
        ("relay.shop.co.uk", "https://www.other.co.uk", None),
        ("one.github.io", "https://two.github.io", None),
        ("a.one.github.io", "https://one.github.io", CookieSite("one.github.io", 2)),
        ("relay.xn--bcher-kva.example", "https://xn--bcher-kva.example", CookieSite("xn--bcher-kva.example", 1)),
        ("localhost:8000", "http://localhost:3000", CookieSite(None, 0)),
        ("127.0.0.1:8000", "http://127.0.0.1:3000", CookieSite(None, 0)),
        ("co.uk", "https://shop.co.uk", None),
        ("", "https://shop.example", None),
        ("[", "http://[", None),
        ("relay.shop.example", "null", None),
    ],
)
def test_the_domain_of_the_cookies(host, origin, site):
    assert site_of(host, origin) == site


@pytest.fixture
def settings():
    def with_(**environment: str) -> Settings:
        return Settings.from_env(
            {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAA", "RELAY_SET_COOKIES": "true"} | environment
        )

    return with_


def admitted(settings: Settings, **more) -> Admitted:
    request = {
        "sender": "browser",
        "dataset": settings.datasets[0],
        "facts": RequestFacts(origin="https://www.shop.example"),
        "body": b"",
        "host": "relay.shop.example",
        "is_secure": True,
    }
    return Admitted(**request | more)


def test_every_visitor_gets_a_number_of_their_own(settings):
    made = {browser_ids(admitted(settings()), settings()).facts_for(None).fbp for _ in range(20)}
    assert len(made) == 20 and all(re.fullmatch(r"fb\.1\.\d{13}\.\d{1,10}", fbp) for fbp in made)


def test_a_cookie_is_secure_where_the_browser_came_by_https(settings):
    for is_secure in (True, False):
        ids = browser_ids(admitted(settings(), is_secure=is_secure), settings())
        ids.facts_for(None)
        (cookie,) = ids.cookies()
        assert ("; Secure" in cookie) is is_secure and "; Domain=shop.example; " in cookie


def test_where_consent_is_asked_for_silence_is_no_consent(settings):
    strict = settings(RELAY_CONSENT="withhold")
    assert browser_ids(admitted(strict), strict).facts_for(None).fbp is None
    assert browser_ids(admitted(strict), strict).facts_for("granted").fbp


@pytest.mark.parametrize(
    ("environment", "more"),
    [
        ({"RELAY_SET_COOKIES": "false"}, {}),
        ({}, {"sender": "backend"}),
        ({}, {"host": "relay.elsewhere.example"}),
        ({}, {"facts": RequestFacts()}),
        ({}, {"facts": RequestFacts(origin="null")}),
    ],
    ids=["not asked for", "a backend", "another site", "no origin", "an origin that is none"],
)
def test_otherwise_no_ids_are_made(settings, environment, more):
    chosen = settings(**environment)
    assert browser_ids(admitted(chosen, **more), chosen) is None


def test_cookies_that_the_browser_has_are_renewed_for_the_whole_site(settings):
    known = RequestFacts(origin="https://www.shop.example", fbp="fb.1.1596403881668.1116446470")
    ids = browser_ids(admitted(settings(), facts=known), settings())
    ids.facts_for(None)
    assert ids.cookies() == (
        "_fbp=fb.1.1596403881668.1116446470; Domain=shop.example; Max-Age=7776000; Path=/; SameSite=Lax; Secure",
    )
