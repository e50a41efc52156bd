"""How often a page counts that is opened beforehand, kept in memory, loaded twice, or is many pages in one; and which
click brought its visitor."""

import time

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.stage import Stage, undriven
from tests.processes import until

pytestmark = pytest.mark.xdist_group("browser")
MODES = {
    "script": ("/meta-tracking.js", "data-auto-page-views", ""),
    "mirror": ("/mirror.js", "data-mirror", "fbq('track', 'PageView');"),
}


@pytest.fixture(scope="module")
def browser(whole_browser: Browser) -> Browser:
    return whole_browser


# -- opened beforehand, and come back to -------------------------------------------------------------------------------

REPORT = """
const tell = (what) => fetch("/report", {method: "POST", body: JSON.stringify({what, path: location.pathname,
  cookie: document.cookie, at: performance.getEntriesByType("navigation")[0].activationStart})});
"""
BEFOREHAND = """<script type="speculationrules">{"prerender": [{"urls": ["/next"], "eagerness": "immediate"}]}</script>
<script src="/report.js"></script>"""


def reports(stage: Stage, what: str) -> list[dict]:
    return [post.body for post in list(stage.posts) if post.path == "/report" and post.body["what"] == what]


def addresses(stage: Stage) -> list[str]:
    return [event["event_source_url"] for event in stage.events("PageView")]


@pytest.fixture(params=MODES)
def counted(request, stage: Stage) -> Stage:
    stage.script, stage.attributes, calls = MODES[request.param]
    stage.scripts["/init.js"] += calls
    return stage


def test_a_page_that_was_opened_beforehand_counts_when_somebody_looks_at_it(counted):
    """http://localhost, since browsers open beforehand only what came safely."""
    counted.more = BEFOREHAND
    counted.scripts["/report.js"] = REPORT + (
        "tell(document.prerendering ? 'beforehand' : 'opened');"
        "document.addEventListener('prerenderingchange', () => tell('activated'));"
        "if (location.pathname === '/first') fetch('/cue').then(() => document.getElementById('on').click());"
    )
    with undriven(counted.url("/first", "localhost")):
        until(lambda: reports(counted, "beforehand"))
        counted.both("PageView", 1)
        assert addresses(counted) == [counted.url("/first", "localhost")], "nobody has opened /next"
        until(lambda: time.time() > counted.events("PageView")[0]["event_time"] + 1.2, every=0.2)
        counted.cue.set()
        until(lambda: reports(counted, "activated"))
        first, second = counted.both("PageView", 2)
    assert second["event_source_url"] == counted.url("/next", "localhost")
    assert second["event_time"] >= first["event_time"] + 1, "its time is when it was opened"


def test_a_page_that_nobody_opens_mints_nothing(stage):
    stage.more = BEFOREHAND
    stage.attributes = 'data-auto-page-views data-consent="required"'
    stage.scripts["/report.js"] = REPORT + (
        "if (document.prerendering) { MetaTracking.consent('granted'); MetaTracking.track('Lead');"
        " setTimeout(() => tell('beforehand'), 100) }"
    )
    with undriven(stage.url("/first", "localhost")):
        until(lambda: reports(stage, "beforehand"))
    assert (stage.events(), stage.images) == ([], []) and reports(stage, "beforehand")[0]["cookie"] == ""


def test_a_page_that_comes_back_from_memory_counts_once_more_on_both_sides(counted):
    """The pixel counts it by itself, without an id; that one is taken out. A browser under pressure keeps no page, nor
    one whose request is under way: then the page is loaded anew, which counts as well, and the two go round once more,
    a little later each time."""
    counted.more = '<script src="/report.js"></script>'
    counted.scripts["/report.js"] = REPORT + (
        "addEventListener('pageshow', (event) => { if (event.persisted) tell('came back') });"
        "const rounds = sessionStorage.rounds = 1 + +(sessionStorage.rounds || 0);"
        "if (location.pathname === '/1')"
        " fetch('/cue').then(() => setTimeout(() => location.href = '/2', 200 * rounds));"
        "else addEventListener('load', () => setTimeout(() => history.back(), 300));"
    )
    with undriven(counted.url("/1")):
        counted.both("PageView", 1)
        counted.cue.set()
        until(lambda: reports(counted, "came back"))
        counted.both("PageView", len(counted.opened) + 1)
    assert addresses(counted)[-1] == counted.url("/1")


def test_a_page_that_comes_back_hears_that_the_visitor_denied_elsewhere(stage):
    stage.attributes = "data-auto-page-views"
    stage.more = '<script src="/report.js"></script>'
    stage.scripts["/report.js"] = REPORT + (
        "addEventListener('pageshow', (event) => { if (event.persisted)"
        " tell('came back ' + MetaTracking.debug.findLast((line) => /^consent /.test(line))) });"
        "const rounds = sessionStorage.rounds = 1 + +(sessionStorage.rounds || 0);"
        "if (location.pathname === '/1')"
        " fetch('/cue').then(() => setTimeout(() => location.href = '/2', 200 * rounds));"
        "else addEventListener('load', () => setTimeout(() => { MetaTracking.consent('denied');"
        " setTimeout(() => history.back(), 300) }));"
    )
    with undriven(stage.url("/1")):
        stage.both("PageView", 1)
        stage.cue.set()
        (report,) = until(lambda: [post.body for post in list(stage.posts) if post.body.get("what", "")[:4] == "came"])
    assert (report["what"], report["cookie"]) == ("came back consent denied", "")


# -- gone --------------------------------------------------------------------------------------------------------------

SAYS = {"script": "MetaTracking.track(name)", "mirror": "fbq('trackCustom', name)"}


@pytest.mark.parametrize("mode", SAYS)
def test_what_handlers_say_while_the_page_goes_away_reaches_both_sides(tab: Page, stage: Stage, mode):
    """Time on page, depth of scrolling. Behind these events comes no task of the page any more."""
    stage.script, stage.attributes, _ = MODES[mode]
    stage.more = '<script src="/leaving.js"></script>'
    stage.scripts["/leaving.js"] = (
        f"const say = (name) => {SAYS[mode]};"
        "addEventListener('pagehide', () => say('Hidden'));"
        "document.addEventListener('visibilitychange', () => document.hidden && say('Invisible'));"
    )
    tab.goto(stage.url())
    tab.wait_for_function("fbq.callMethod && !fbq.queue[0]")
    tab.click("#on")
    tab.wait_for_url("**/next")
    stage.both("Hidden", 1)
    stage.both("Invisible", 1)


# -- twice -------------------------------------------------------------------------------------------------------------


def test_the_script_twice_in_a_page_counts_once(tab: Page, stage: Stage):
    stage.attributes = "data-auto-page-views"
    stage.more = stage.ours
    tab.goto(stage.url())
    tab.evaluate("MetaTracking.track('Lead')")
    stage.both("Lead", 1)
    stage.both("PageView", 1)
    assert "loaded twice" in tab.evaluate("MetaTracking.debug")


def test_effects_that_run_twice_are_one_event_each(tab: Page, stage: Stage):
    """React's StrictMode: mounted, unmounted, mounted."""
    tab.goto(stage.url())
    ids = tab.evaluate("['Lead', 'Contact', 'Lead', 'Contact'].map(name => MetaTracking.track(name))")
    assert ids[0] == ids[2] and ids[1] == ids[3]
    stage.both("Lead", 1)
    stage.both("Contact", 1)


# -- many pages in one -------------------------------------------------------------------------------------------------


def move(tab: Page, verb: str, *paths: str) -> None:
    for path in paths:
        tab.evaluate("([verb, path]) => history[verb]({}, '', path)", [verb, path])


def test_each_page_of_a_single_page_app_counts_once_on_both_sides(tab: Page, counted: Stage):
    tab.goto(counted.url("/1"))
    move(tab, "pushState", "/2", "/3", "/4")
    counted.both("PageView", 4)
    assert sorted(addresses(counted)) == [counted.url(f"/{n}") for n in (1, 2, 3, 4)]  # a request may overtake another


SWAP = """async path => {
  history.pushState({}, '', path);
  for (const old of document.querySelectorAll('main script')) {
    const made = document.createElement('script');
    for (const { name, value } of old.attributes) made.setAttribute(name, value);
    const run = new Promise(done => made.onload = done);
    old.replaceWith(made);
    await run;
  }
  history.replaceState({}, '', location.href);
}"""


def test_a_body_that_is_swapped_and_whose_scripts_run_again_counts_once(tab: Page, counted: Stage):
    """In the order of Turbo and htmx: the address, the new body with its scripts, the same address once more."""
    counted.head = "<meta name=turbo-cache-control>"
    counted.more = counted.ours + counted.snippet + "<script src=/init.js></script>"
    tab.goto(counted.url("/1"))
    for path in ("/2", "/3"):
        tab.evaluate(SWAP, path)
    counted.both("PageView", 3)
    assert sorted(addresses(counted)) == [counted.url(f"/{n}") for n in (1, 2, 3)]
    assert tab.evaluate("MetaTracking.debug.filter(line => line === 'loaded twice').length") == 2


def test_a_path_that_was_replaced_counts_and_a_query_that_was_cleaned_does_not(tab: Page, counted: Stage):
    tab.goto(counted.url("/landing?utm_source=x"))
    move(tab, "replaceState", "/landing", "/landing#top", "/welcome", "/welcome")
    counted.both("PageView", 2)
    assert addresses(counted) == [counted.url("/landing?utm_source=x"), counted.url("/welcome")]


def test_a_slash_at_the_end_that_a_router_takes_or_gives_is_the_same_page(tab: Page, counted: Stage):
    """As a file server has `/courses/`, Angular's router has `/courses`, and says so in its first call."""
    tab.goto(counted.url("/courses/?utm_source=x"))
    move(tab, "replaceState", "/courses?utm_source=x", "/courses/", "/courses#top", "/courses/one")
    move(tab, "pushState", "/courses/one/")
    counted.both("PageView", 3)
    paths = [address.removeprefix(counted.url("")) for address in addresses(counted)]
    assert sorted(paths) == ["/courses/?utm_source=x", "/courses/one", "/courses/one/"]


def test_routes_behind_a_hash_count_where_the_site_says_so(tab: Page, stage: Stage):
    for path, setting, count in (("/routes", '="hash"', 3), ("/anchors", "", 1)):
        stage.reset()
        stage.attributes = "data-auto-page-views" + setting
        tab.goto(stage.url(f"{path}#/one"))
        for route in ("#/two", "#/three"):
            tab.evaluate("route => new Promise(done => { onpopstate = done; location.hash = route })", route)
        tab.evaluate("MetaTracking.track('Lead')")
        stage.both("Lead", 1)
        stage.both("PageView", count)


@pytest.mark.parametrize("root", ["#/", "#!/", "#"])
def test_the_route_that_a_router_begins_with_is_the_page_itself(tab: Page, stage: Stage, root):
    """Vue's, Angular's and others write it behind an address without one as soon as they start."""
    stage.attributes = 'data-auto-page-views="hash"'
    tab.goto(stage.url("/routes"))
    tab.evaluate("root => history.replaceState({}, '', root)", root)
    tab.evaluate("history.pushState({}, '', '#/two')")
    tab.evaluate("MetaTracking.track('Lead')")
    stage.both("Lead", 1)
    stage.both("PageView", 2)


# -- which click -------------------------------------------------------------------------------------------------------

CLICK = "IwAR0xY-z_1AbCdEfGhIjKlMnOpQrStUvWxYz"


@pytest.mark.parametrize("way", ["a link", "a link, the referrer cut", "a router that cleaned the address before us"])
def test_a_click_is_kept_letter_by_letter_when_consent_comes_on_the_next_page(tab: Page, stage: Stage, way):
    stage.attributes = 'data-consent="required"'
    tab.goto(stage.url(f"/?fbclid={CLICK}&utm_source=fb"))
    if way.endswith("referrer cut"):  # as Firefox cuts it by itself, where a click came to the page
        tab.evaluate("document.getElementById('on').referrerPolicy = 'origin'")
    if way.startswith("a link"):
        tab.click("#on")
        tab.wait_for_url("**/next")
    else:
        stage.head = "<script src=/clean.js></script>" + stage.ours
        stage.scripts["/clean.js"] = "history.replaceState({}, '', '/clean')"
        tab.goto(stage.url(f"/?fbclid={CLICK}"))
    assert tab.context.cookies() == []
    tab.evaluate("MetaTracking.consent('granted'); MetaTracking.track('Lead')")
    (event,) = until(lambda: stage.events("Lead"))
    (cookie,) = (cookie["value"] for cookie in tab.context.cookies() if cookie["name"] == "_fbc")
    assert event["user_data"]["fbc"] == cookie and cookie.split(".", 3)[3] == CLICK


def test_who_types_an_address_comes_from_no_click(tab: Page, stage: Stage):
    """The tab may have been open for days."""
    stage.attributes = 'data-consent="required"'
    tab.goto(stage.url(f"/?fbclid={CLICK}"))
    tab.goto(stage.url("/next"))
    tab.evaluate("MetaTracking.consent('granted'); MetaTracking.track('Lead')")
    (event,) = until(lambda: stage.events("Lead"))
    assert event["user_data"].keys() == {"fbp"}
