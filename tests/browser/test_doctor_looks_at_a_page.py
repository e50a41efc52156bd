"""`doctor --page`: what it says of a page, as a headless browser finds it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from conversion_relay.cli.checks import Check
from conversion_relay.cli.page_check import page_checks
from conversion_relay.settings import Settings
from tests.browser.chromium import chromium_path
from tests.browser.stage import PIXEL, Stage
from tests.processes import free_port

pytestmark = pytest.mark.xdist_group("another browser")


@pytest.fixture
def shop(stage: Stage) -> Stage:
    """On a name that any browser finds."""
    chromium_path()
    stage.collector = stage.meta = "localhost"
    return stage


def said(shop: Stage, path: str = "/", **more: str) -> dict[str, Check]:
    settings = Settings.from_env({"META_PIXEL_ID": PIXEL, "META_ACCESS_TOKEN": "x", **more})
    return {check.name: check for check in looked(shop.url(path, "localhost"), settings)}


def looked(url: str, settings: Settings) -> list[Check]:
    """In a thread of its own, since playwright allows one of itself in a thread, and the tests have one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: list(page_checks(url, settings))).result()


def states(found: dict[str, Check]) -> dict[str, str]:
    return {name: check.state for name, check in found.items()}


def test_a_page_where_everything_is_well(shop: Stage):
    shop.script, shop.attributes = "/mirror.js", "data-mirror"
    shop.scripts["/init.js"] += "fbq('track', 'PageView')"
    found = said(shop, RELAY_SET_COOKIES="true")
    assert states(found) == dict.fromkeys(("script", "pixel", "ids", "cookies"), "ok")
    assert found["ids"].what == "1 events with the same id on both sides"


AS_METAS_OWN = """
    fbevents_sent = []
    fbq = (verb, name, data, {eventID} = {}) => {
        if (/Headless/.test(navigator.userAgent)) return // without a word, as people measured it
        const query = {id: '%s', ev: name, eid: eventID, ...data}
        if (!data['cd[contents]']) return (new Image().src = '%s?' + new URLSearchParams(query))
        const frame = document.body.appendChild(Object.assign(document.createElement('iframe'), {name: 'long'}))
        const form = Object.assign(document.createElement('form'), {method: 'post', action: '%s', target: 'long'})
        for (const name in query)
            form.append(Object.assign(document.createElement('input'), {name, value: query[name]}))
        document.body.append(form)
        form.submit()
    }
    onload = () => {
        MetaTracking.track('PageView')
        MetaTracking.track('ViewContent', {'cd[contents]': 'x'.repeat(3000)})
        new Image().src = '%s?id=%s&ev=Microdata&cd[OpenGraph]={}'
    }"""
"""What it does in a shop: no event in a browser that calls itself headless, a form for a long one, one of its own."""


def test_a_pixel_as_it_is_at_work_in_shops(shop: Stage):
    meta = shop.url("/tr", shop.meta)
    shop.head = shop.ours + '<script src="/own.js"></script>'
    shop.scripts["/own.js"] = AS_METAS_OWN % (PIXEL, meta, meta, meta, PIXEL)
    found = said(shop)
    assert (found["ids"].state, found["ids"].what) == ("ok", "2 events with the same id on both sides"), found["ids"]


def test_a_page_without_our_script_is_told_the_tag(shop: Stage):
    shop.head = " "
    found = said(shop)
    assert states(found) == {"script": "error", "pixel": "warning"}
    assert 'data-endpoint="https://RELAY/events"' in (found["script"].fix or "")


def test_a_pixel_of_another_id_that_sends_without_us_and_metas_own_mirror(shop: Stage):
    # The mirror is switched on after us: a pixel that came before us would have taken that out of its queue.
    shop.head = shop.snippet + '<script src="/own.js"></script>' + shop.ours + shop.ours
    shop.head += '<script src="/late.js"></script>'
    shop.scripts["/own.js"] = "fbq('init', '777'); fbq('track', 'PageView')"
    shop.scripts["/late.js"] = f"fbq('optinMetaEnabledCapi', '{PIXEL}')"
    found = said(shop)
    expected = {"script": "warning", "pixel": "error", "ids": "error", "hosted mirror": "warning", "cookies": "warning"}
    assert states(found) == expected
    assert "24 hours" in found["cookies"].what and "PageView" in found["ids"].what


def test_a_page_that_waits_for_consent(shop: Stage):
    shop.attributes = 'data-consent="required" data-auto-page-views'
    found = said(shop)
    assert states(found) == {"script": "ok", "pixel": "ok", "ids": "skipped", "cookies": "skipped"}
    assert found["ids"].what.endswith("(consent: held)")


def test_a_collector_of_another_site_cannot_renew_the_cookies(shop: Stage):
    shop.collector, shop.attributes = "127.0.0.1", "data-auto-page-views"
    assert said(shop, RELAY_SET_COOKIES="true")["cookies"].state == "warning"


def test_a_collector_on_a_subdomain_renews_the_cookies_only_where_the_tag_says_so(shop: Stage):
    shop.collector, shop.attributes = "relay.localhost", "data-auto-page-views"
    seen = said(shop, RELAY_SET_COOKIES="true")["cookies"]
    assert seen.state == "warning" and (seen.fix or "").startswith('add data-credentials="include"')
    shop.attributes += ' data-credentials="include"'
    assert said(shop, RELAY_SET_COOKIES="true")["cookies"].state == "ok"


def test_a_page_that_is_not_there(shop: Stage):
    settings = Settings.from_env({"META_PIXEL_ID": PIXEL, "META_ACCESS_TOKEN": "x"})
    (check,) = looked("http://localhost:1/", settings)
    assert check.state == "error" and "cannot be opened" in check.what


@pytest.mark.parametrize(
    ("endpoint", "status", "policy", "fix"),
    [
        ("/", 404, "", "data-endpoint is the whole address"),
        ("/events", 403, "", "RELAY_ALLOWED_ORIGINS"),
        ("/events", 422, "", "network panel"),
        ("nobody", 202, "", "its certificate"),
        ("/events", 202, "default-src 'self' 'unsafe-inline'; connect-src 'none'", "connect-src"),
    ],
)
def test_a_collector_that_takes_nothing_of_this_page_is_told_by_its_reason(shop, endpoint, status, policy, fix):
    where = f"http://localhost:{free_port()}/events" if endpoint == "nobody" else shop.url(endpoint, "localhost")
    shop.head = f'<script src="{shop.script}" data-endpoint="{where}" data-auto-page-views></script>'
    shop.status = status
    if policy:
        shop.headers = {"Content-Security-Policy": policy}
    found = said(shop)["collector"]
    assert found.state == "error" and fix in (found.fix or ""), found
