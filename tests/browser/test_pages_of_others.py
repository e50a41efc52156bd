"""Pages that we did not make: frames without an address, pages that are written anew, names that the page took."""

import re
import time

import pytest

from conversion_relay.meta.click_id import click_of, fbc_from_url
from tests.browser.shop import FILES, HERE, META, ONE, OURS, SNIPPET
from tests.processes import until

pytestmark = pytest.mark.xdist_group("browser")
FRAMES = """endpoint => {
    const src = location.origin + '/meta-tracking.js'
    const html = (name) => `<script src="${src}" data-endpoint="${endpoint}"><\\/script>`
        + `<script>MetaTracking.track('Lead', {content_name: '${name}'})<\\/script>`
    const add = (name, set) => {
        const frame = document.createElement('iframe')
        set(frame, html(name))
        return document.body.appendChild(frame)
    }
    add('srcdoc', (frame, html) => frame.srcdoc = html)
    add('sandbox', (frame, html) => Object.assign(frame, {sandbox: 'allow-scripts', srcdoc: html}))
    add('blob', (frame, html) => frame.src = URL.createObjectURL(new Blob([html], {type: 'text/html'})))
    add('data', (frame, html) => frame.src = 'data:text/html,' + encodeURIComponent(html))
    add('javascript', (frame, html) => frame.src = 'javascript:' + JSON.stringify(html))
    const blank = add('blank', () => 0).contentWindow
    const onload = () => blank.MetaTracking.track('Lead', {content_name: 'blank'})
    const script = Object.assign(blank.document.createElement('script'), {src, onload})
    script.dataset.endpoint = endpoint
    blank.document.body.append(script)
}"""


@pytest.mark.parametrize("base", ["", '<base href="https://cdn.example/x/">'])
def test_a_frame_without_an_address_counts_on_the_page_that_holds_it(tab, stage, base):
    """Its links may lead elsewhere: then a frame that may not look at its page has what the browser tells it."""
    stage.head = base + "<!-- no script of ours -->"
    tab.goto(stage.url("/courses/?fbclid=IwAR-frame&email=joe"))
    tab.evaluate(FRAMES, stage.url("/events", stage.collector))
    until(lambda: len(stage.events()) == 6)
    seen = {event["custom_data"]["content_name"]: event for event in stage.events()}
    whole = dict.fromkeys(
        ("srcdoc", "sandbox", "blob", "javascript", "blank"), stage.url("/courses/?fbclid=IwAR-frame")
    )
    expected = whole | {"data": stage.url("/")}  # all that a browser tells it
    if base:
        expected["sandbox"] = "https://cdn.example/x/"
        del whole["sandbox"]
    assert {name: event["event_source_url"] for name, event in seen.items()} == expected
    assert {name for name, event in seen.items() if "fbc" in event["user_data"]} == whole.keys()
    assert {cookie["domain"] for cookie in tab.context.cookies()} == {".shop.example"}


@pytest.mark.parametrize("host", ["www.shop.example", "other.example"])
def test_a_frame_asks_the_consent_platform_of_the_page_that_holds_it(tab, stage, host):
    """One of another site may not look there."""
    frame = stage.url("/frame", host)
    stage.attributes = "data-auto-page-views"
    stage.scripts["/asks.js"] = """
        if (parent === window)
            __tcfapi = (command, version, tell) => tell({eventStatus: 'cmpuishown', purpose: {consents: {}}}, true)
        dataLayer = parent === window ? [] : undefined"""
    stage.head = '<script src="/asks.js"></script>' + stage.ours
    tab.goto(stage.url())
    with tab.expect_event("framenavigated", lambda one: one.url == frame) as shown:
        tab.evaluate("url => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))", frame)
    inner = shown.value
    inner.wait_for_function("window.MetaTracking && MetaTracking.debug.some((line) => line.startsWith('consent'))")
    is_own = host == "www.shop.example"
    assert ("consent held" in inner.evaluate("MetaTracking.debug")) == is_own
    if is_own:
        assert stage.posts == [] and tab.context.cookies() == []
        assert inner.evaluate("dataLayer !== parent.dataLayer"), "what the frame says there is its own"


def test_a_page_without_any_address_names_none(tab, tmp_path):
    """The page of an app: the server knows better than to take a file's path for an address."""
    (tmp_path / "app.html").write_text(f"<script>{FILES['plain.js'].read_text()}</script>")
    tab.goto((tmp_path / "app.html").as_uri())
    assert tab.evaluate("Object.keys(JSON.parse(JSON.stringify(MetaTracking.visitor())))") == ["fbp"]


@pytest.mark.parametrize("again", [True, False], ids=["with the script", "without"])
def test_a_page_that_is_written_anew_is_still_heard(shop, again):
    """As a testing tool does it: `document.open` takes all listeners away."""
    shop.head, shop.base = OURS.format("data-auto-page-views"), ""
    shop.open("/one")
    shop.wait(1, 0)
    html = shop.head * again + "<a id=buy href='https://buy.stripe.com/x' onclick='event.preventDefault()'>buy</a>"
    shop.page.evaluate("html => { document.open(); document.write(html); document.close() }", html)
    shop.page.click("#buy")
    assert "client_reference_id=" in shop.page.get_attribute("#buy", "href")
    shop.page.evaluate("history.pushState({}, '', '/two'); history.back()")
    shop.wait(3, 0)
    seen = [event["event_source_url"].removeprefix(HERE) for event in shop.events()]
    assert seen == ["/one", "/two", "/one"]
    event_id = shop.page.evaluate("id = MetaTracking.track('Lead'); dispatchEvent(new Event('pagehide')); id")
    assert f"{event_id}\nLead" in shop.page.evaluate("JSON.parse(localStorage._mt).s"), (
        "written down before the page is gone"
    )


CLICKS = ("IwAR%5Ff-x", "Iw%41R", "Iw%2DR%61", "Iw%zzR", "Iw%2", "Iw%20R", "Iw+R", "Iw%26R", "Iw%2541R", "Iw%C3%A4R")
QUERIES = (
    *(f"fbclid={click}" for click in CLICKS),
    "%66bclid=IwAR",
    "a=1&fb%63lid=IwAR&b=2",
    "u=https%3A%2F%2Fother.example%2F%3Ffbclid%3DIwAR",
    "a=1%26fbclid=IwAR",
    "fbclid%3DIwAR=2",
    "a=1&amp;fbclid=IwAR",
    "fbclid=&fbclid=IwAR",
    "my.fbclid=IwAR",
    "xfbclid=IwAR",
    "fbclid=" + "x" * 500,
    "fbclid=" + "x" * 501,
)


def test_a_click_is_read_from_an_address_as_the_server_reads_it(shop):
    shop.head, shop.base = OURS.format(""), ""
    found = {}
    for n, query in enumerate(QUERIES):
        shop.context.clear_cookies()
        shop.open("/?" + query)
        shop.page.evaluate("MetaTracking.track('Lead')")
        shop.wait(n + 1, 0)
        event = shop.events()[n]
        fbc = event["user_data"].get("fbc")
        assert fbc_from_url(event["event_source_url"], 1.8e9, known=fbc) == fbc, "the server keeps it"
        found[query] = click_of(fbc)
    expected = {query: click_of(fbc_from_url(f"{HERE}/?{query}", 1.8e9)) for query in QUERIES}
    assert found == expected


CLOCKS = {
    "a fraction": "const now = Date.now; Date.now = () => now() + 0.25",
    "text": "const now = Date.now; Date.now = () => now() + ''",
    "a Date": "Date.now = () => new Date()",
    "nothing": "Date.now = () => undefined",
    "another class": "const Old = Date; Date = class extends Old { static now() { return +new Old() + 0.5 } }",
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_whatever_the_page_made_of_the_clock_times_are_whole(shop, clock):
    shop.head, shop.base = f"<script>{CLOCKS[clock]}</script>" + OURS.format(""), ""
    shop.open("/?fbclid=IwAR-clock")
    shop.page.evaluate("MetaTracking.track('Lead')")
    shop.wait(1, 0)
    (event,) = shop.events()
    assert isinstance(event["event_time"], int) and abs(event["event_time"] - time.time()) < 600
    assert re.fullmatch(r"fb\.1\.\d{13}\.\d{10}", event["user_data"]["fbp"])
    assert re.fullmatch(r"fb\.1\.\d{13}\.IwAR-clock", event["user_data"]["fbc"])
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(uuid, event["event_id"])


TAKEN = {
    "names of the page": "<script>var navigation = ['home'], performance = 12, URL = '/api'</script>",
    "names of elements": "<form id=MetaTracking></form><img name=fbq alt><form id=dataLayer></form><a id=_fbq></a>",
    "a layer that is no list": "<script>dataLayer = {page: 'course'}</script>",
    "a layer that is sealed": "<script>dataLayer = Object.freeze([{page: 'course'}])</script>",
    "a layer with holes": "<script>dataLayer = [null, 'x', , 7, ['consent'], ['consent', 'default', null]]</script>",
    "members of all objects": "<script>Object.prototype.nothing = null;"
    "Array.prototype.each = () => 0; Array.prototype.none = undefined</script>",
    "a pixel that is a list": "<script>fbq = []; _fbq = []</script>",
    "timers that are cleared": "<script>addEventListener('DOMContentLoaded',"
    " () => { for (let n = 0; n < 99; n++) clearTimeout(n) })</script>",
}


@pytest.mark.parametrize("taken", TAKEN)
def test_what_a_page_took_costs_no_event(shop, taken):
    shop.head, shop.base = TAKEN[taken] + OURS.format("data-auto-page-views"), ""
    shop.open("/?fbclid=IwAR-taken")
    shop.page.evaluate("window.MetaTracking.track('Lead')")
    shop.wait(2, 0)
    assert [event["event_name"] for event in shop.events()] == ["PageView", "Lead"]
    assert all(event["user_data"]["fbc"].endswith(".IwAR-taken") for event in shop.events())
    link = "<a id=buy href='https://buy.stripe.com/x?a=b' onclick='event.preventDefault()'>buy</a>"
    shop.page.evaluate("link => document.body.insertAdjacentHTML('beforeend', link)", link)
    shop.page.click("#buy")
    assert "/x?a=b&client_reference_id=" in shop.page.get_attribute("#buy", "href")


def test_a_link_inside_of_a_component_takes_the_reference_along(shop):
    shop.base = ""
    shop.open()
    shop.page.evaluate("""() => {
        const put = (html) => document.body.insertAdjacentHTML('beforeend', html)
        put('<buy-now></buy-now> <a id=around href="https://buy.stripe.com/y"><my-label></my-label></a>')
        document.onclick = (event) => event.preventDefault()
        const fill = (name, html) =>
            (document.querySelector(name).attachShadow({mode: 'open'}).innerHTML = html)
        fill('buy-now', '<a href="https://buy.stripe.com/x"><b>buy</b></a>')
        fill('my-label', '<b>buy it</b>')
    }""")
    shop.page.click("buy-now b")
    shop.page.click("my-label b")
    inner, outer = (
        "document.querySelector('buy-now').shadowRoot.querySelector('a')",
        "document.querySelector('#around')",
    )
    assert all("?client_reference_id=" in shop.page.evaluate(f"{link}.href") for link in (inner, outer))


def test_an_event_that_is_larger_than_what_may_leave_with_the_page_is_sent(shop):
    shop.base = ""
    shop.open()
    shop.page.evaluate("MetaTracking.track('Lead', {content_ids: Array(7000).fill('course-77')})")
    shop.wait(1, 0)
    assert len(shop.events()[0]["custom_data"]["content_ids"]) == 7000


def test_a_layer_that_the_page_puts_in_place_of_ours_is_heard(shop):
    gtag = "function gtag() { dataLayer.push(arguments) }"
    shop.head = OURS.format("") + f"<script>dataLayer = [{{page: 'course'}}]; {gtag}</script>" + SNIPPET
    shop.open()
    shop.wait(1, 1)
    shop.page.evaluate("gtag('consent', 'update', {ad_storage: 'denied', ad_user_data: 'denied'})")
    assert shop.page.evaluate("MetaTracking.track('Lead')") is None


def test_a_failure_of_ours_is_no_failure_of_the_pages_router(shop):
    shop.head, shop.base = OURS.format("data-auto-page-views"), "fbq = () => { throw Error('theirs') }"
    shop.open("/one")
    assert shop.page.evaluate("history.pushState({}, '', '/two'), history.replaceState({}, '', '/three'), 1")
    shop.wait(3, 0)
    assert shop.said == []


ONCE = """<script>
    function gtag() { dataLayer.push(arguments) }
    if (!window.dataLayer && !('dataLayer' in window)) {
        dataLayer = []
        gtag('consent', 'default', {ad_storage: 'denied', ad_user_data: 'denied'})
        window.google = 'loaded'
    }
</script>"""


def test_a_page_that_loads_googles_tag_where_there_is_no_layer_loads_it_and_is_heard(shop):
    shop.head = OURS.format("") + ONCE + SNIPPET
    shop.open()
    assert shop.page.evaluate("google") == "loaded"
    shop.page.wait_for_load_state("networkidle")
    assert (shop.posts, shop.images) == ([], [])
    shop.page.evaluate("gtag('consent', 'update', {ad_storage: 'granted', ad_user_data: 'granted'})")
    shop.wait(1, 1)
    assert shop.ids() == shop.pixel_ids() and len(shop.ids()) == 1


def test_a_pixel_that_a_component_takes_away_and_brings_again_waits_for_consent(shop):
    """As the effects of a framework do it, each page with its own."""
    shop.head = OURS.format('data-consent="required"') + SNIPPET
    shop.open()
    shop.page.wait_for_load_state("networkidle")
    shop.page.evaluate("delete window.fbq; delete window._fbq; history.pushState({}, '', '/two')")
    shop.page.evaluate("url => { window.fbevents_src = '/fbevents.js'; window.fbevents_endpoint = url }", META)
    shop.page.add_script_tag(url="/snippet.js")
    shop.call(["init", ONE], ["track", "Lead"])
    shop.page.wait_for_function("!!fbq.callMethod")
    shop.page.wait_for_load_state("networkidle")
    assert (shop.posts, shop.images, shop.context.cookies()) == ([], [], [])
    shop.page.evaluate("MetaTracking.consent('granted')")
    shop.wait(3, 1)
    assert set(shop.pixel_ids()) <= set(shop.ids()) and "Lead" in dict(shop.pixel_ids())
