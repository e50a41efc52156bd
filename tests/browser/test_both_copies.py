"""The server's copy and the pixel's carry the same restriction, whoever else speaks to the pixel and however late."""

import pytest

from tests.browser.shop import ONE, OURS, SNIPPET
from tests.browser.test_signals import OPTS_OUT, PLAIN, has_ics
from tests.processes import until

pytestmark = pytest.mark.xdist_group("browser")
SCRIPTS = pytest.mark.parametrize("ours", [PLAIN, OURS], ids=["plain", "mirror"])
CLEARS = "fbq('dataProcessingOptions', []);"
INIT = f"fbq('init', '{ONE}');"
LEAD, CONTACT = "MetaTracking.track('Lead');", "MetaTracking.track('Contact');"


def restrictions(shop) -> dict[str, str | None]:
    return {query["ev"]: query.get("dpo") for query in shop.pixel()}


@SCRIPTS
@pytest.mark.parametrize("order", ["before us", "while it waits", "after", "before the visitor", "behind the pixel"])
def test_a_page_that_clears_the_options_lifts_no_opt_out(shop, ours, order):
    """As Meta's own snippets do for every visitor."""
    gpc = f"<script>{OPTS_OUT}</script>"
    if order == "before us":
        shop.head, shop.base = gpc + SNIPPET, f"{INIT} {CLEARS}</script>{ours.format('')}<script>{LEAD}"
    elif order == "while it waits":
        shop.head, shop.base = gpc + ours.format("data-consent=required") + SNIPPET, f"{INIT} {LEAD} {CLEARS}"
    elif order == "before the visitor":
        shop.head, shop.base = ours.format("data-consent=required") + SNIPPET, f"{INIT} {LEAD} {CLEARS} {OPTS_OUT}"
    else:
        shop.head, shop.base = gpc + ours.format("") + SNIPPET, INIT + (LEAD if order == "behind the pixel" else CLEARS)
    shop.pixel_comes_last = order != "after"
    shop.open()
    if order in ("while it waits", "before the visitor"):
        shop.page.evaluate("MetaTracking.consent('granted')")
    elif order == "after":
        shop.page.evaluate(LEAD)
    shop.wait(1, 1)
    shop.page.evaluate(f"{CLEARS} {CONTACT}")
    shop.wait(2, 2)
    assert restrictions(shop) == {"Lead": "LDU", "Contact": "LDU"}
    assert [event["gpc"] for event in shop.events()] == [True, True]


@SCRIPTS
def test_the_pages_own_restriction_stands_where_the_server_ignores_the_opt_out(shop, ours):
    shop.policy = "gpc=ignore, consent=optional"
    shop.head = f"<script>{OPTS_OUT}</script>" + ours.format("") + SNIPPET
    shop.base = INIT + "fbq('dataProcessingOptions', ['LDU'], 0, 0);" + LEAD
    shop.pixel_comes_last = True
    shop.open()
    shop.wait(1, 1)
    assert restrictions(shop) == {"Lead": "LDU"}


def test_a_platform_that_nobody_has_looked_for_is_heard_before_what_is_held_goes(shop):
    shop.head, shop.base = OURS.format("data-consent=required") + SNIPPET, INIT + LEAD
    shop.open()
    no = "{gdprApplies: true, eventStatus: 'tcloaded', purpose: {consents: {}}}"
    shop.page.evaluate(f"__tcfapi = (verb, version, heard) => heard({no}, true); MetaTracking.consent('granted')")
    shop.page.wait_for_load_state("networkidle")
    assert (shop.posts, shop.pixel(), shop.page.evaluate("document.cookie")) == ([], [], "")


@SCRIPTS
def test_what_the_server_does_with_silence_holds_for_the_pixel_once_it_is_known(shop, ours):
    shop.head, shop.base, shop.policy = ours.format("") + SNIPPET, INIT, "gpc=limit, consent=limit"
    shop.open()
    shop.page.wait_for_function("!!window.fbevents_sent")
    shop.page.evaluate(LEAD)
    shop.wait(1, 1)
    shop.page.evaluate(CONTACT)
    shop.wait(2, 2)
    shop.page.evaluate("MetaTracking.consent('granted'); MetaTracking.track('Search')")
    shop.wait(3, 3)
    assert restrictions(shop) == {"Lead": None, "Contact": "LDU", "Search": None}


@SCRIPTS
def test_a_server_that_requires_consent_holds_the_page_once_it_is_known(shop, ours):
    shop.head, shop.base, shop.policy = ours.format("") + SNIPPET, INIT, "gpc=limit, consent=required"
    shop.open()
    shop.page.wait_for_function("!!window.fbevents_sent")
    shop.page.evaluate(LEAD)
    shop.page.wait_for_function("MetaTracking.debug.includes('consent held')")
    shop.page.evaluate(CONTACT + "fbq('track', 'Search')")
    shop.page.wait_for_load_state("networkidle")
    assert set(restrictions(shop)) == {"Lead"} == {event["event_name"] for event in shop.events()}
    shop.page.evaluate("MetaTracking.consent('granted')")
    shop.wait(2, 3)
    assert set(restrictions(shop)) == {"Lead", "Contact", "Search"}


def test_what_the_server_withholds_is_written_down_for_an_opt_out_alone(shop):
    shop.head, shop.base, shop.policy = PLAIN.format(""), LEAD, "gpc=withhold, consent=optional"
    shop.open()
    shop.page.wait_for_function("MetaTracking.debug.some((line) => line.includes(' 202'))")
    assert shop.page.evaluate("sessionStorage.length") == 0
    shop.page.evaluate(f"{OPTS_OUT}; {CONTACT}")
    assert "consent withheld" in shop.page.evaluate("MetaTracking.debug")


def test_a_manager_that_has_answered_is_heard_before_a_pixel_that_is_there(shop):
    """Its calls stand in the queue and would be mirrored at once."""
    manager = "<script>M = {done: true, yes: false}</script>"
    ours = OURS.format('data-consent-state="M.yes" data-consent-answered="M.done"')
    shop.head, shop.base = manager + SNIPPET, f"{INIT} fbq('track', 'Lead')</script>{ours}<script>"
    shop.pixel_comes_last = True
    shop.open()
    shop.page.wait_for_load_state("networkidle")
    assert (shop.posts, shop.pixel()) == ([], [])
    states = [line for line in shop.page.evaluate("MetaTracking.debug") if line.startswith("consent")]
    assert states == ["consent denied"]


def test_an_event_that_is_on_its_way_is_withdrawn_behind_it_too(stage, tab):
    """Two requests may overtake each other, and the server takes back nothing that it has not got."""
    stage.head = '<script src="/meta-tracking.js" data-endpoint="/m/events"></script>'
    tab.goto(stage.url())
    tab.evaluate("""() => {
        const { fetch } = window
        window.answers = []
        window.fetch = (url, how) => url.endsWith('events')
            ? new Promise((answer) => window.answers.push(() => fetch(url, how).then(answer)))
            : fetch(url, how)
    }""")
    event_id = tab.evaluate("MetaTracking.track('Lead')")
    tab.wait_for_function("answers.length")
    tab.evaluate("MetaTracking.consent('denied')")
    until(lambda: stage.posts, 20, every=0.02)
    tab.evaluate("answers.forEach((go) => go())")
    until(lambda: len(stage.posts) == 3, 20, every=0.02)
    assert [post.path for post in stage.posts] == ["/m/withdraw", "/m/events", "/m/withdraw"]
    assert [set(post.body["event_ids"]) for post in stage.posts[::2]] == [{event_id}, {event_id}]


def test_a_default_that_googles_tag_alone_knows_holds_both_copies(shop):
    shop.head, shop.base = f"<script>{has_ics('false')}</script>" + OURS.format("") + SNIPPET, INIT + LEAD
    shop.open()
    shop.call(["track", "Contact"])
    shop.page.wait_for_load_state("networkidle")
    assert (shop.posts, shop.pixel(), shop.page.evaluate("document.cookie")) == ([], [], "")
    update = "Object.values(google_tag_data.ics.entries).forEach((entry) => { entry.update = true })"
    shop.page.evaluate(update + "; fbq('track', 'Search')")
    shop.wait(3, 3)
    assert shop.ids() == shop.pixel_ids()
