"""The browser's script as a visitor meets it: the built file, a real browser, a strict policy, a real collector."""

import contextlib
import json
import socket
import time
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.site import HOSTS, Site
from tests.processes import Installation, call, installation, until

pytestmark = pytest.mark.xdist_group("browser")
COURSE = {"content_name": "Kintsugi", "content_category": "craft"}


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    site = Site()
    with installation(tmp_path_factory.mktemp("relay")) as here:
        here.env |= {"RELAY_ALLOWED_ORIGINS": site.origins, "RELAY_TRUSTED_PROXIES": "127.0.0.1/32"}
        here.site = site
        here.start()
        yield here
    site.close()


@pytest.fixture
def site(relay: Installation) -> Site:
    site: Site = relay.site
    site.attributes, site.has_pixel, site.is_proxy = "", True, False
    site.endpoint, site.meta = relay.url, relay.meta
    if not relay.is_running():
        relay.start()
    relay.misbehave(mode="none")
    return site


@pytest.fixture
def context(browser: Browser, site: Site):
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, relay: Installation, site: Site):
    page = watched(context, relay, site)
    yield page
    assert page.problems == []


def watched(context: BrowserContext, relay: Installation, site: Site) -> Page:
    """A tab that notes what went out, and every complaint of the browser."""
    page = context.new_page()
    page.sent, page.problems = [], []
    ours = (relay.url, relay.meta)
    page.on("request", lambda request: page.sent.append(request) if request.url.startswith(ours) else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: page.problems.append(line.text) if "Content Security" in line.text else None)
    return page


def track(page: Page, name: str = "ViewContent", data: dict | None = None, options: dict | None = None) -> str:
    return page.evaluate("([name, data, options]) => MetaTracking.track(name, data, options)", [name, data, options])


def rows(relay: Installation, event_id: str) -> list[dict]:
    return [row for row in relay.arrived() if row["event"].get("event_id") == event_id]


def from_server(relay: Installation, event_id: str) -> dict:
    """The server's copy at Meta, once it is there."""

    def found():
        return next((row["event"] for row in rows(relay, event_id) if row["source"] == "server"), None)

    return until(found, 40)


def cookies(context: BrowserContext) -> dict[str, dict]:
    return {cookie["name"]: cookie for cookie in context.cookies()}


def stored(page: Page) -> int:
    return page.evaluate("localStorage.length + sessionStorage.length")


def sides(relay: Installation, name: str) -> dict:
    """The meter as `status --json` tells it."""
    return relay.books().get("deduplication", {}).get(name, {"both": 0, "server_only": 0, "browser_only": 0})


# -- one id, both channels ---------------------------------------------------------------------------------------------


def test_browser_and_server_share_the_id_and_one_is_counted(page, relay, site):
    before = sides(relay, "ViewContent")["both"]
    page.goto(site.url("/course?utm_source=a?b&email=canary%40example.org&fbclid=IwAR0xY-z_1#top?utm_term=x"))
    event_id = track(page, "ViewContent", COURSE)
    until(lambda: len(rows(relay, event_id)) == 2)
    assert {row["source"] for row in rows(relay, event_id)} == {"browser", "server"}
    assert sorted(row["duplicate"] for row in rows(relay, event_id)) == [False, True]
    event = from_server(relay, event_id)
    assert event["custom_data"] == COURSE and event["action_source"] == "website"
    assert event["event_source_url"] == site.url("/course?utm_source=a%3Fb&fbclid=IwAR0xY-z_1")
    until(lambda: sides(relay, "ViewContent")["both"] == before + 1)
    assert "canary" not in str([request.post_data for request in page.sent])


def test_without_the_pixel_the_server_event_arrives(page, relay, site):
    site.has_pixel = False
    before = sides(relay, "Lead")["server_only"]
    page.goto(site.url())
    event_id = track(page, "Lead")
    from_server(relay, event_id)
    assert [row["source"] for row in rows(relay, event_id)] == ["server"]
    until(lambda: sides(relay, "Lead")["server_only"] == before + 1)
    assert any("no pixel" in line for line in page.evaluate("MetaTracking.debug"))


def test_a_pixel_that_is_blocked_behind_its_snippet_is_not_counted_as_told(page, relay, site):
    """Meta's snippet leaves a queue that its script would empty; an ad blocker takes the script alone."""
    site.has_pixel = False
    before = sides(relay, "Search")
    page.add_init_script("window.fbq = Object.assign(function () {}, {queue: []})")
    page.goto(site.url())
    from_server(relay, track(page, "Search"))
    until(lambda: sides(relay, "Search") == before | {"server_only": before["server_only"] + 1})
    # Its script came after all: the next request tells.
    page.evaluate("fbq.callMethod = () => {}")
    from_server(relay, track(page, "Lead"))
    until(lambda: sides(relay, "Search")["both"] == before["both"] + 1)


def test_what_only_the_pixel_hears_is_told_when_the_page_goes(page, relay, site):
    """A figure: the browser may drop the beacon of a page that goes, so several pages may go until one was heard."""
    before = sides(relay, "Purchase")

    def heard(n: int) -> bool:
        page.goto(site.url())
        track(page, "Purchase", {"value": 12, "currency": "EUR"}, {"eventId": f"purchase_b{n}", "pixelOnly": True})
        page.goto(site.url("/next"))
        with contextlib.suppress(AssertionError):
            return until(lambda: sides(relay, "Purchase")["browser_only"] > before["browser_only"], 10)
        return False

    told = next(n for n in range(5) if heard(n))
    until(lambda: [row["source"] for row in rows(relay, f"purchase_b{told}")] == ["browser"])
    assert relay.post(purchase(f"purchase_b{told}", email="joe@example.com"))[0] == 202
    until(lambda: sides(relay, "Purchase")["both"] == before["both"] + 1)


def purchase(event_id: str, *, email: str | None = None, **custom_data: object) -> dict:
    """As a payment webhook's server tells it."""
    paid = {"value": 12, "currency": "EUR", **custom_data}
    person = {"email": email} if email else {}
    return {"event_name": "Purchase", "event_id": event_id, "user_data": person, "custom_data": paid}


def test_while_the_collector_is_down_an_event_waits_with_its_time(page, relay, site):
    page.goto(site.url())
    relay.stop()
    at = time.time()
    event_id = track(page, "Lead")
    until(lambda: any("not reached" in line for line in page.evaluate("MetaTracking.debug")))
    until(lambda: time.time() > at + 3, every=0.2)  # so that another time could be told from its own
    relay.start()
    assert abs(from_server(relay, event_id)["event_time"] - at) <= 1
    until(lambda: page.evaluate("JSON.parse(localStorage._mt).q.length") == 0)


def test_what_waited_when_the_page_was_closed_is_sent_by_the_next_one(page, context, relay, site):
    page.goto(site.url())
    relay.stop()
    event_id = track(page, "Lead", None, {"userEmail": "canary.waiting@example.org"})
    until(lambda: any("not reached" in line for line in page.evaluate("MetaTracking.debug")))
    assert "canary" not in page.evaluate("localStorage._mt")
    relay.start()
    page.close()
    watched(context, relay, site).goto(site.url("/next"))
    from_server(relay, event_id)


def test_a_page_that_is_closed_at_once_has_sent_its_event(page, relay, site):
    page.goto(site.url())
    event_id = track(page, "Lead")
    page.close()
    from_server(relay, event_id)


def test_a_page_that_is_left_at_once_has_sent_its_event(page, relay, site):
    page.goto(site.url())
    event_id = page.evaluate("() => { const id = MetaTracking.track('Lead'); location.href = '/next'; return id }")
    page.wait_for_url("**/next")
    from_server(relay, event_id)


# -- consent -----------------------------------------------------------------------------------------------------------


def test_before_consent_nothing_is_sent_or_kept_and_then_everything_with_its_time(page, context, relay, site):
    site.attributes = 'data-consent="required" data-auto-page-views'
    page.goto(site.url("/?fbclid=IwAR-required"))
    at = time.time()
    event_id = track(page, "Lead")
    page.evaluate("history.pushState({}, '', '/elsewhere')")
    page.wait_for_load_state("networkidle")
    until(lambda: time.time() > at + 2, every=0.2)
    assert (page.sent, cookies(context), stored(page)) == ([], {}, 0)
    page.evaluate("MetaTracking.consent('granted')")
    event = from_server(relay, event_id)
    assert abs(event["event_time"] - at) <= 1
    assert event["event_source_url"] == site.url("/?fbclid=IwAR-required")
    assert event["user_data"]["fbc"] == cookies(context)["_fbc"]["value"]
    assert event["user_data"]["fbc"].endswith(".IwAR-required")


def test_a_refusal_forgets_what_was_held(page, context, relay, site):
    site.attributes = 'data-consent="required"'
    page.goto(site.url())
    track(page, "Lead")
    page.evaluate("MetaTracking.consent('denied')")
    assert track(page, "Contact") is None
    page.wait_for_load_state("networkidle")
    page.goto(site.url("/next"))
    assert (page.sent, cookies(context), stored(page)) == ([], {}, 0)
    page.evaluate("MetaTracking.consent('denied')")
    assert track(page, "Lead") is None and "no consent" in page.evaluate("MetaTracking.debug").pop()


def test_a_refusal_withdraws_what_meta_has_not_got_yet(page, context, relay, site):
    relay.misbehave(mode="down")
    page.goto(site.url())
    event_id = track(page, "Lead")
    until(lambda: relay.command("explain", event_id).returncode == 0)
    page.evaluate("MetaTracking.consent('denied')")
    until(lambda: b"erased" in relay.command("explain", event_id, "--json").stdout)
    assert (cookies(context), stored(page)) == ({}, 0)
    relay.misbehave(mode="none")
    page.evaluate("MetaTracking.consent('granted')")
    from_server(relay, track(page, "Search"))
    assert [row["source"] for row in rows(relay, event_id)] == ["browser"]


TCF = """
    window.hear = [];
    window.__tcfapi = (command, version, listener) => { if (command === 'addEventListener') hear.push(listener) };
"""


def tcf(page: Page, status: str, *purposes: int, applies: bool = True) -> None:
    data = {"gdprApplies": applies, "eventStatus": status, "purpose": {"consents": dict.fromkeys(purposes, True)}}
    page.evaluate("data => hear.forEach(listener => listener(data, true))", data)


def test_iab_tcf_decides(page, context, relay, site):
    page.add_init_script(TCF)
    page.goto(site.url())
    event_id = track(page, "Lead")
    tcf(page, "cmpuishown")
    page.wait_for_load_state("networkidle")
    assert (page.sent, cookies(context), stored(page)) == ([], {}, 0)
    tcf(page, "useractioncomplete", 1, 2, 3, 4, 7, 9)
    from_server(relay, event_id)
    page.goto(site.url("/next"))
    count = len(page.sent)
    track(page, "Lead")
    tcf(page, "tcloaded", 2, 7)
    page.wait_for_load_state("networkidle")
    assert len(page.sent) == count and track(page, "Contact") is None


def test_where_the_gdpr_does_not_apply_nobody_has_to_ask(page, relay, site):
    page.add_init_script(TCF)
    page.goto(site.url())
    event_id = track(page, "Lead")
    tcf(page, "tcloaded", applies=False)
    from_server(relay, event_id)


GTAG = "window.dataLayer = []; window.gtag = function () { dataLayer.push(arguments) };"
DENIED = {"ad_storage": "denied", "ad_user_data": "denied", "ad_personalization": "denied"}


def gtag(page: Page, kind: str, answer: str) -> None:
    values = json.dumps(dict.fromkeys(DENIED, answer))
    page.evaluate(f"gtag('consent', '{kind}', {values})")


@pytest.mark.parametrize("default", ["before", "after"])
def test_google_consent_mode_decides(page, context, relay, site, default):
    page.add_init_script(GTAG + (f"gtag('consent', 'default', {json.dumps(DENIED)})" if default == "before" else ""))
    site.attributes = "" if default == "before" else 'data-consent="required"'
    page.goto(site.url())
    if default == "after":
        gtag(page, "default", "denied")
    held = track(page, "Lead")
    page.wait_for_load_state("networkidle")
    assert (page.sent, cookies(context), stored(page)) == ([], {}, 0)
    gtag(page, "update", "granted")
    from_server(relay, held)
    gtag(page, "update", "denied")
    assert track(page, "Contact") is None and cookies(context) == {}


def test_global_privacy_control(page, context, relay, site):
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})")
    site.is_proxy = True  # limited data use needs a visitor's address
    page.goto(site.url("/?fbclid=IwAR-gpc"))
    event = from_server(relay, track(page, "Lead"))
    assert event["data_processing_options"] == ["LDU"]
    assert "fbp" not in event["user_data"] and (cookies(context), stored(page)) == ({}, 0)
    site.attributes = 'data-consent="required"'
    page.goto(site.url("/next"))
    count = len(page.sent)
    assert track(page, "Contact") is None
    page.wait_for_load_state("networkidle")
    assert len(page.sent) == count
    page.evaluate("MetaTracking.consent('granted')")
    assert from_server(relay, track(page, "Contact"))["user_data"]["fbp"]


# -- who and which click -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "domain", "index"),
    [
        ("www.shop.example", ".shop.example", 1),
        ("a.b.shop.example", ".shop.example", 1),
        ("www.shop.co.uk", ".shop.co.uk", 2),
        ("xn--bcher-kva.example", ".xn--bcher-kva.example", 1),
        ("localhost", "localhost", 0),
        ("127.0.0.1", "127.0.0.1", 1),
    ],
)
def test_the_cookies_lie_on_the_registrable_domain(page, context, relay, site, host, domain, index):
    page.goto(site.url("/?fbclid=IwAR-x_Y", host))
    found = cookies(context)
    assert found.keys() == {"_fbp", "_fbc"} and {cookie["domain"] for cookie in found.values()} == {domain}
    assert [cookie["value"].split(".")[1] for cookie in found.values()] == [str(index)] * 2
    assert found["_fbc"]["value"].split(".")[3] == "IwAR-x_Y"
    assert 80 * 86_400 < found["_fbc"]["expires"] - time.time() < 91 * 86_400
    user_data = from_server(relay, track(page, "Lead"))["user_data"]
    assert {name: user_data[name] for name in ("fbp", "fbc")} == {n[1:]: c["value"] for n, c in found.items()}


def test_ids_that_are_there_are_taken_verbatim_and_replaced_by_another_click_alone(page, context, relay, site):
    own = {"_fbp": "fb.1.1596403881668.1116446470.AQYBAQMC", "_fbc": "fb.1.1596403881668.IwAR-one.AQYBAQMC"}
    context.add_cookies([{"name": n, "value": v, "domain": ".shop.example", "path": "/"} for n, v in own.items()])
    for click, kept in (("IwAR-one", True), ("IwAR-Two", False), ("IwAR-Two", True)):
        before = cookies(context)["_fbc"]["value"]
        page.goto(site.url(f"/?fbclid={click}"))
        user_data = from_server(relay, track(page, "Lead", {"n": click, "k": kept}))["user_data"]
        assert user_data["fbp"] == own["_fbp"] and user_data["fbc"] == cookies(context)["_fbc"]["value"]
        assert (user_data["fbc"] == before) is kept and user_data["fbc"].split(".")[3] == click


def test_a_cookie_that_a_server_set_for_this_host_alone_makes_room(page, context, site):
    site_cookie = {"name": "_fbc", "value": "fb.1.1596403881668.IwAR-old", "url": site.url()}
    context.add_cookies([site_cookie])
    page.goto(site.url("/?fbclid=IwAR-new"))
    assert [c["value"].split(".")[3] for c in context.cookies() if c["name"] == "_fbc"] == ["IwAR-new"]


def test_a_visit_is_remembered_for_the_order_that_a_webhook_pays(page, context, relay, site):
    page.goto(site.url("/cart?fbclid=IwAR-order"))
    page.evaluate("MetaTracking.rememberVisitor('order-77')")
    until(lambda: any("202" in line and "order-77" in line for line in page.evaluate("MetaTracking.debug")))
    assert relay.post(purchase("purchase_order-77", order_id="order-77"))[0] == 202
    event = from_server(relay, "purchase_order-77")
    assert event["user_data"]["fbc"] == cookies(context)["_fbc"]["value"]
    assert event["user_data"]["fbp"] == cookies(context)["_fbp"]["value"]
    assert event["user_data"]["client_user_agent"].startswith("Mozilla/5.0")
    assert event["event_source_url"] == site.url("/cart?fbclid=IwAR-order")


# -- counts ------------------------------------------------------------------------------------------------------------


def page_views(relay: Installation, marker: str) -> list[str]:
    events = [row["event"] for row in relay.arrived() if row["source"] == "server"]
    return [e["event_source_url"] for e in events if e["event_name"] == "PageView" and marker in e["event_source_url"]]


def test_a_single_page_app_counts_each_page_once(page, relay, site):
    site.attributes = "data-auto-page-views"
    page.goto(site.url("/spa-1"))
    page.evaluate("history.pushState({}, '', '/spa-2')")
    page.evaluate("history.pushState({}, '', '/spa-2')")
    page.evaluate("history.replaceState({}, '', '/spa-2#reviews')")
    page.evaluate("history.pushState({}, '', '/spa-3')")
    page.go_back()
    until(lambda: len(page_views(relay, "/spa-")) == 4)
    assert sorted(page_views(relay, "/spa-")) == [site.url(f"/spa-{n}") for n in (1, 2, 2, 3)]


def test_a_page_that_is_come_back_to_counts_again(page, relay, site):
    site.attributes = "data-auto-page-views"
    page.goto(site.url("/back-1"))
    page.goto(site.url("/back-2"))
    page.go_back()
    until(lambda: len(page_views(relay, "/back-")) == 3)
    assert sorted(page_views(relay, "/back-")) == [site.url(f"/back-{n}") for n in (1, 1, 2)]


def test_two_tabs_are_one_browser_and_two_events(page, context, relay, site):
    other = watched(context, relay, site)
    page.goto(site.url())
    other.goto(site.url())
    first, second = track(page, "Lead"), track(other, "Lead")
    assert first != second
    assert from_server(relay, first)["user_data"]["fbp"] == from_server(relay, second)["user_data"]["fbp"]
    until(lambda: [len(rows(relay, event_id)) for event_id in (first, second)] == [2, 2])


def test_a_double_click_is_one_event(page, relay, site):
    page.goto(site.url())
    twice = page.evaluate("[MetaTracking.track('Contact'), MetaTracking.track('Contact')]")
    assert twice[0] == twice[1]
    from_server(relay, twice[0])
    page.wait_for_load_state("networkidle")
    assert sum(request.url.endswith("/events") for request in page.sent) == 1
    assert track(page, "Contact", {"content_name": "another"}) != twice[0]


def test_a_page_of_thanks_that_is_visited_again_says_nothing_new(page, relay, site):
    once = "MetaTracking.trackOnce('lead_9', 'Lead', {value: 1, currency: 'EUR'})"
    page.goto(site.url("/thanks"))
    assert page.evaluate(once) == "lead_9"
    until(lambda: len(rows(relay, "lead_9")) == 2)
    page.wait_for_load_state("networkidle")
    count = len(page.sent)
    page.goto(site.url("/thanks"))
    assert page.evaluate(once) is None
    page.reload()
    assert page.evaluate(once) is None
    page.wait_for_load_state("networkidle")
    assert len(page.sent) == count and len(rows(relay, "lead_9")) == 2


# -- the page comes first ----------------------------------------------------------------------------------------------


def test_a_collector_that_hangs_changes_nothing_on_the_page(page, relay, site):
    with socket.create_server(("127.0.0.1", 0), backlog=50) as hangs:
        site.endpoint = f"http://127.0.0.1:{hangs.getsockname()[1]}"
        page.goto(site.url(), wait_until="load")
        track(page, "Lead")
        page.click("a")
        page.wait_for_url("**/next")
        assert page.evaluate("document.readyState") == "complete"


def test_without_beacon_storage_and_cookies_it_is_still_one_event(page, relay, site):
    page.add_init_script(
        """
        delete Navigator.prototype.sendBeacon;
        Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }});
        Object.defineProperty(Document.prototype, 'cookie', {get() { return '' }, set() {}});
        """
    )
    page.goto(site.url("/?fbclid=IwAR-blocked"))
    event_id = track(page, "Lead")
    event = from_server(relay, event_id)
    assert event["user_data"]["fbp"] and event["user_data"]["fbc"].endswith(".IwAR-blocked")
    page.goto(site.url("/next"))
    assert len([row for row in rows(relay, event_id) if row["source"] == "server"]) == 1


def test_no_call_throws_whatever_it_is_given(page, site):
    page.goto(site.url())
    calls = "[null, undefined, 7, '', {}, [], Symbol('x')].flatMap(odd => Object.values(MetaTracking)"
    answered = f"{calls}.filter(f => f && f.call).map(f => {{ f(odd); f(odd, odd, odd); return 1 }})).length"
    assert page.evaluate(answered) > 40


def test_ids_sort_by_their_time(page, site):
    page.goto(site.url())
    ids = [page.evaluate("MetaTracking.newEventId()") for _ in range(20)]
    times = [int(i.replace("-", "")[:12], 16) for i in ids]
    assert all(a <= b for a, b in pairwise(times)) and abs(times[0] / 1000 - time.time()) < 60
    assert len(set(ids)) == 20 and all(len(i) == 36 and i[14] == "7" and i[19] in "89ab" for i in ids)


def test_every_host_of_the_tests_may_post(relay, site):
    for host in HOSTS:
        answer = call("OPTIONS", f"{relay.url}/events", Origin=f"http://{host}:{site.port}")
        assert answer[0] == 204
