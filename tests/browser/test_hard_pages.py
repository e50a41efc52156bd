"""Pages that take something from a script: strict policies, a blocked collector, no storage, no cookies of others."""

import time

import pytest
from playwright.sync_api import Page

from tests.browser.stage import PIXEL, Post, Stage
from tests.processes import until

pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.parametrize("script", ["/meta-tracking.js", "/mirror.js"])
def test_a_strict_policy_with_trusted_types_stands_in_nothings_way(tab: Page, stage: Stage, script):
    """Meta's own snippet would: it makes a script tag. Here the page loads the pixel by a tag of its own."""
    stage.script, stage.attributes = script, "data-mirror data-auto-page-views"
    stage.scripts["/queue.js"] = (
        "fbq = function () { fbq.callMethod ? fbq.callMethod(...arguments) : fbq.queue.push(arguments) };"
        f"fbq.queue = []; fbevents_endpoint = '{stage.url('/tr', 'meta.example')}'; fbq('init', '{PIXEL}')"
    )
    stage.head = stage.ours + '<script src="/queue.js"></script><script src="/fbevents.js" defer></script>'
    stage.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        f" connect-src {stage.url('', 'relay.example')}; img-src data: {stage.url('', 'meta.example')};"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )
    tab.goto(stage.url("/?fbclid=IwAR-strict"))
    tab.evaluate("MetaTracking.track('Lead')")
    stage.both("PageView", 1)
    (event,) = stage.both("Lead", 1)
    assert event["user_data"]["fbc"].endswith(".IwAR-strict")
    assert not [line for line in tab.evaluate("MetaTracking.debug") if "rror" in line]


def test_an_event_whose_collector_is_blocked_is_kept_and_sent_by_the_page_after(tab: Page, stage: Stage):
    tab.goto(stage.url())
    tab.route("**/events", lambda route: route.abort("blockedbyclient"))
    event_id = tab.evaluate("MetaTracking.track('Lead')")
    until(lambda: any("not reached" in line for line in tab.evaluate("MetaTracking.debug")))
    until(lambda: stage.pixel_ids("Lead") == [event_id])
    tab.unroute("**/events")
    tab.evaluate("() => { const kept = JSON.parse(localStorage._mt); kept.q[0].n = 0;"
                 " localStorage._mt = JSON.stringify(kept) }")  # fmt: skip # ten seconds are over
    tab.goto(stage.url("/next"))
    assert [event["event_id"] for event in until(lambda: stage.events("Lead"))] == [event_id]
    tab.said = [line for line in tab.said if "net::ERR_" not in line]  # the browser's own words


def test_an_event_that_the_collector_could_not_take_is_kept(tab: Page, stage: Stage):
    stage.status = 503
    tab.goto(stage.url())
    event_id = tab.evaluate("MetaTracking.track('Lead')")
    until(lambda: any(f"{event_id} 503" in line for line in tab.evaluate("MetaTracking.debug")))
    assert tab.evaluate("JSON.parse(localStorage._mt).q.map(item => item.i)") == [event_id]
    tab.said = [line for line in tab.said if "503" not in line]  # the browser's own words


@pytest.fixture
def crowded(tab: Page, stage: Stage):
    """A page whose other script has all on its way that may outlive a page: 64 KiB, which all scripts share.
    https://fetch.spec.whatwg.org/#http-network-or-cache-fetch"""
    tab.goto(stage.url())
    replay = "{method: 'POST', keepalive: true, body: JSON.stringify({replay: 'y'.repeat(65500)})}"
    yield f"fetch('/cue', {replay}).catch(() => 0);"  # it may end with its page
    stage.cue.set()
    tab.said = [line for line in tab.said if "net::ERR_" not in line]  # the browser's own words


def test_an_event_leaves_at_once_while_another_script_has_all_on_its_way_that_may_outlive_the_page(
    tab: Page, stage: Stage, crowded
):
    event_id = tab.evaluate(f"() => {{ {crowded} return MetaTracking.track('Lead') }}")
    assert [event["event_id"] for event in until(lambda: stage.events("Lead"))] == [event_id]
    assert " 599 " not in tab.evaluate("`${MetaTracking.debug}`"), "it did not wait for a second try"


def test_a_refusal_is_told_while_another_script_has_all_on_its_way_that_may_outlive_the_page(
    tab: Page, stage: Stage, crowded
):
    event_id = tab.evaluate("MetaTracking.track('Lead')")
    until(lambda: f"{event_id} 202 " in tab.evaluate("MetaTracking.debug"))
    tab.evaluate(f"() => {{ {crowded} MetaTracking.consent('denied') }}")
    (told,) = until(lambda: [post.body for post in stage.posts if post.path == "/withdraw"])
    assert told["event_ids"] == [event_id] and " 599 " not in tab.evaluate("`${MetaTracking.debug}`")


@pytest.mark.parametrize("again", ["denied", "granted"])
def test_a_refusal_that_the_server_could_not_take_is_told_again_while_it_stands(tab: Page, stage: Stage, again):
    tab.clock.install()
    tab.goto(stage.url())
    tab.clock.pause_at(time.time() + 3_600)  # from here on as much time passes as the test says
    event_id = tab.evaluate("MetaTracking.rememberVisitor('1001'), MetaTracking.track('Lead')")
    tab.clock.run_for(1_000)
    until(lambda: f"{event_id} 202 " in tab.evaluate("MetaTracking.debug"))

    def told() -> list[Post]:
        return [post for post in stage.posts if post.path == "/withdraw" or post.body.get("consent") == "denied"]

    stage.status = 503
    tab.evaluate("MetaTracking.consent('denied')")
    tab.clock.run_for(1_000)
    until(lambda: len(tab.evaluate("MetaTracking.debug.filter(line => / 503/.test(line))")) == 2)
    stage.status = 202
    tab.evaluate("MetaTracking.consent", again)
    first = len(told())
    tab.clock.run_for(11_000)
    if again == "granted":
        tab.wait_for_load_state("networkidle")
        assert len(told()) == first == 2
    else:
        until(lambda: len(told()) == first + 2)
        assert sorted(str(post.body) for post in told()[-2:]) == sorted(str(post.body) for post in told()[:2])
    tab.said = [line for line in tab.said if "503" not in line]  # the browser's own words


def test_what_could_wait_in_memory_alone_is_written_down_once_it_may_be(tab: Page, stage: Stage):
    """An opt-out: nothing is stored. Then the visitor agrees, and what an earlier page left must not take its place."""
    tab.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})")
    tab.add_init_script("localStorage._mt = JSON.stringify({q: [], s: ['earlier']})")
    stage.status = 503
    tab.goto(stage.url())
    event_id = tab.evaluate("MetaTracking.track('Lead')")
    until(lambda: any(f"{event_id} 503" in line for line in tab.evaluate("MetaTracking.debug")))
    tab.evaluate("MetaTracking.consent('granted')")
    kept = tab.evaluate("JSON.parse(localStorage._mt)")
    assert [item["i"] for item in kept["q"]] == [event_id] and kept["s"] == ["earlier", f"{event_id}\nLead"]
    tab.said = [line for line in tab.said if "503" not in line]


THROWS = {
    "storage that throws": "for (const name of ['localStorage', 'sessionStorage'])"
    " Object.defineProperty(window, name, {get() { throw new DOMException('no', 'SecurityError') }});",
    "storage that is full": "Object.defineProperty(window, 'localStorage',"
    " {value: new Proxy({}, {set() { throw new DOMException('full', 'QuotaExceededError') }})})",
    "storage that is another's": "localStorage._mt = '7'",
    "no beacon": "delete Navigator.prototype.sendBeacon",
    "cookies that throw": "const no = () => { throw new DOMException('no', 'SecurityError') };"
    "Object.defineProperty(Document.prototype, 'cookie', {get: no, set: no})",
    "no navigation entries": "performance.getEntriesByType = () => []",
}


@pytest.mark.parametrize("lack", THROWS)
def test_what_a_browser_lacks_costs_no_event(tab: Page, stage: Stage, lack):
    tab.add_init_script(THROWS[lack])
    stage.attributes, stage.script = "data-auto-page-views", "/mirror.js"
    stage.head = stage.ours  # a pixel would throw there by itself
    tab.goto(stage.url("/?fbclid=IwAR-lacks"))
    event_id = tab.evaluate("MetaTracking.track('Lead')")
    (event,) = until(lambda: stage.events("Lead"))
    assert event["event_id"] == event_id and event["user_data"]["fbc"].endswith(".IwAR-lacks")
    tab.evaluate("MetaTracking.consent('denied')")
    assert tab.evaluate("MetaTracking.track('Lead')") is None


def test_a_page_in_a_sandbox_reports_all_the_same(tab: Page, stage: Stage):
    """It has no origin: its storage and cookies throw."""
    stage.headers["Content-Security-Policy"] = "sandbox allow-scripts"
    stage.head = stage.ours
    tab.goto(stage.url())
    tab.evaluate("MetaTracking.track('Lead')")
    (event,) = until(lambda: stage.events("Lead"))
    assert event["user_data"]["fbp"].startswith("fb.")


def test_with_cookies_of_other_sites_off_nothing_is_missing(tab: Page, stage: Stage):
    """The collector lies on another site: it is never sent a cookie, and needs none."""
    session = tab.context.new_cdp_session(tab)
    session.send("Network.enable")
    session.send("Network.setCookieControls", {"enableThirdPartyCookieRestriction": True})
    tab.context.add_cookies([{"name": "theirs", "value": "1", "url": stage.url("/", "relay.example")}])
    tab.goto(stage.url("/?fbclid=IwAR-third"))
    tab.evaluate("MetaTracking.track('Lead')")
    (event,) = stage.both("Lead", 1)
    found = {cookie["name"][1:]: cookie["value"] for cookie in tab.context.cookies(stage.url())}
    assert event["user_data"] == {name: found[name] for name in ("fbp", "fbc")}
    assert all("Cookie" not in post.headers for post in stage.posts)
