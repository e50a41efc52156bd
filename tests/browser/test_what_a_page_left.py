"""What lies in the storage, what a page put in the place of the browser's own, and clocks that were set."""

import json

import pytest

from tests.browser.shop import COLLECTOR, ONE, OURS, SNIPPET
from tests.browser.test_signals import PLAIN

pytestmark = pytest.mark.xdist_group("browser")
LEFT = [
    "null", "5", "[]", "{}", "no JSON", '{"q": 5}', '{"q": null, "s": null}', '{"q": [1, null], "s": []}',
    '{"q": [{}], "s": {}}', '{"q": {"0": 1}, "s": []}', '{"s": "abc"}', '{"q": [{"u": "/x", "b": null}], "s": []}',
]  # fmt: skip


@pytest.mark.parametrize("consent", ["", 'data-consent="required"'])
def test_an_event_is_sent_whatever_lies_in_the_storage(shop, consent):
    shop.head, shop.base = PLAIN.format(consent), ""
    ids = set()
    for left in LEFT:
        shop.open()
        shop.page.evaluate("left => { localStorage._mt = left }", left)
        shop.open()
        ids.add(shop.page.evaluate("id = MetaTracking.track('Lead'); MetaTracking.consent('granted'); id"))
        shop.page.wait_for_load_state("networkidle")
        shop.page.evaluate("localStorage.clear()")
    assert {event["event_id"] for event in shop.events()} == ids and len(ids) == len(LEFT)


PAGES = {
    "a fetch that sets a header": "fetch = (url, given) => { given.headers['X-Trace'] = '1'; return f(url, given) }",
    "an answer without headers": "fetch = async (...all) => ({status: (await f(...all)).status})",
    "an answer with plain headers": "fetch = async (...all) => ({status: (await f(...all)).status, headers: {}})",
    "no navigation entries": "performance.getEntriesByType = () => null",
    "a performance that throws": "performance.getEntriesByType = () => { throw Error('no') }",
    "no unescape": "delete window.unescape",
    "no MutationObserver": "delete window.MutationObserver",
    "a MutationObserver that throws": "MutationObserver = class { observe() { throw Error('no') } }",
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_what_a_page_made_of_the_browsers_own_costs_no_event(shop, page):
    """And is sent once: what was answered is waited for no more."""
    shop.head = f"<script>f = fetch; M = MutationObserver; {page}</script>" + OURS.format("") + SNIPPET
    # The tool that drives the page needs its observer back.
    shop.base = f"fbq('init', '{ONE}'); fbq('track', 'Lead'); setTimeout(() => {{ MutationObserver = M }})"
    shop.open("/?fbclid=A%5Fb")
    shop.wait(1, 1)
    assert shop.ids() == shop.pixel_ids()
    shop.page.wait_for_function("JSON.parse(localStorage._mt).q.length === 0")


def test_what_waits_for_its_time_does_not_wait_for_a_clock_that_was_set_back(shop):
    shop.head, shop.base = PLAIN.format(""), ""
    shop.open()
    event = {"event_name": "Search", "event_id": "earlier", "event_time": 0}
    kept = json.dumps({"q": [{"u": COLLECTOR, "b": event, "i": "earlier", "p": "", "n": 0}], "s": []})
    ahead = "item.n = Date.now() + 7200e3; item.b.event_time = item.n / 1e3"
    shop.page.evaluate(
        f"text => {{ k = JSON.parse(text); [item] = k.q; {ahead}; localStorage._mt = JSON.stringify(k) }}", kept
    )
    shop.open()
    shop.wait(1, 0)
    assert [name for name, _ in shop.ids()] == ["Search"]


def test_an_offline_page_of_the_sites_own_worker_is_no_answer(shop):
    """Many workers answer each request that fails with it, and it is a 200."""
    offline = "new Response('<h1>offline</h1>', {headers: {'Content-Type': 'text/html; charset=utf-8'}})"
    shop.head, shop.base = f"<script>f = fetch; fetch = async () => {offline}</script>" + PLAIN.format(""), ""
    shop.open()
    event_id = shop.page.evaluate("MetaTracking.track('Lead')")
    shop.page.wait_for_function("id => MetaTracking.debug.some((line) => line.startsWith(id + ' 599'))", arg=event_id)
    shop.page.evaluate(
        "fetch = f; k = JSON.parse(localStorage._mt); k.q[0].n = 0; localStorage._mt = JSON.stringify(k)"
    )
    shop.page.evaluate("MetaTracking.track('Search')")
    shop.wait(2, 0)
    assert ("Lead", event_id) in shop.ids()


OPTS_OUT = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})"


def test_what_the_server_withholds_is_written_down_where_no_older_script_looks(shop):
    """In `_mt` it knows the word `withhold` alone: anything else tells it that the pixel may hear of an opt-out."""
    shop.head, shop.base, shop.policy = PLAIN.format(""), "", "gpc=withhold, consent=required"
    shop.page.add_init_script(OPTS_OUT)
    shop.open()
    shop.page.evaluate("MetaTracking.track('Lead')")
    shop.page.wait_for_function("MetaTracking.debug.includes('consent withheld')")
    assert shop.page.evaluate("[sessionStorage.length, sessionStorage._mt]") == [1, None]
    shop.posts.clear()
    shop.open("/next")
    shop.page.evaluate("MetaTracking.track('Search')")
    shop.page.wait_for_function("MetaTracking.debug.includes('consent withheld')")
    assert shop.posts == []


def test_what_an_older_script_wrote_down_of_the_server_is_asked_anew(shop):
    """It kept half of it: whether a silent visitor has to be asked was not said."""
    shop.head, shop.base, shop.policy = PLAIN.format(""), "", "gpc=limit, consent=required"
    shop.page.add_init_script(OPTS_OUT)
    shop.open()
    shop.page.evaluate("sessionStorage.clear(); sessionStorage._mt = 'withhold'")
    shop.open("/next")
    shop.page.evaluate("MetaTracking.track('Search')")
    shop.page.wait_for_function("MetaTracking.debug.includes('consent held')")
    assert "consent withheld" not in shop.page.evaluate("MetaTracking.debug")
