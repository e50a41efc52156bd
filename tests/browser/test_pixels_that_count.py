"""Which pixel hears which event how often: several of them, calls that the pixel itself would drop, pages of an app."""

import pytest

from tests.browser.shop import BASE, COLLECTOR, HERE, META, ONE, OURS, SNIPPET, TWO

pytestmark = pytest.mark.xdist_group("browser")
PAGE_VIEW = "fbq('track', 'PageView');"
REQUIRED = 'data-consent="required"'


def both(shop, *expected: tuple[str, str]) -> None:
    """These pixels and datasets, these names, the same ids on both sides; and nothing that comes later."""
    shop.wait(len(expected), len(expected))
    shop.page.wait_for_load_state("networkidle")
    sent = [(post["body"]["dataset"], event) for post in shop.posts for event in post["body"]["data"]]
    server = sorted((dataset, event["event_name"], event["event_id"]) for dataset, event in sent)
    assert server == sorted((query["id"], query["ev"], query.get("eid", "")) for query in shop.pixel())
    assert sorted((dataset, name) for dataset, name, _ in server) == sorted(expected)


@pytest.mark.parametrize("consent", ["", REQUIRED])
def test_each_of_two_pixels_hears_what_was_said_to_it(shop, consent):
    """As two plugins have it: the second one's PageView is a repeated one for the first pixel, which drops it; and what
    was said before the second pixel's `init` is not for it, however late the visitor agrees."""
    shop.head = OURS.format(consent) + SNIPPET
    shop.base = f"fbq('init', '{ONE}'); {PAGE_VIEW} fbq('track', 'Lead');"
    shop.base += f"fbq('init', '{TWO}'); {PAGE_VIEW} fbq('trackCustom', 'Mine')"
    shop.open()
    shop.page.evaluate("MetaTracking.consent('granted')")
    of_one, of_two = ("PageView", "Lead", "Mine"), ("PageView", "Mine")
    both(shop, *((ONE, name) for name in of_one), *((TWO, name) for name in of_two))


def test_a_pixel_that_hears_by_name_alone_hears_nothing_else(shop):
    shop.base = f"fbq('init', '{ONE}'); fbq('init', {TWO}); fbq('set', 'trackSingleOnly', true, '{TWO}');" + PAGE_VIEW
    shop.open()
    shop.call(["trackSingle", int(TWO), "Lead"], ["track", "Contact", {}, {"eventID": 12}])
    both(shop, (ONE, "PageView"), (TWO, "Lead"), (ONE, "Contact"))
    assert all(isinstance(event["event_id"], str) for event in shop.events())


@pytest.mark.parametrize(("before", "call", "n"), [
    ("", PAGE_VIEW, 1),
    ("", "fbq('trackCustom', 'PageView')", 1),
    ("", f"fbq('trackSingle', '{ONE}', 'PageView')", 2),
    ("fbq.allowDuplicatePageViews = true;", PAGE_VIEW, 2),
])  # fmt: skip
def test_a_page_view_that_the_pixel_drops_is_none_on_the_server(shop, before, call, n):
    shop.base = before + BASE + call
    shop.open()
    both(shop, *[(ONE, "PageView")] * n)


@pytest.mark.parametrize(("before", "steps", "n"), [
    ("", "history.pushState({}, '', '/%d'); " + PAGE_VIEW, 4),
    ("", PAGE_VIEW + "history.pushState({}, '', '/%d')", 4),
    ("", "location.hash = '#/%d';" + PAGE_VIEW, 4),
    ("fbq.disablePushState = true;", "history.pushState({}, '', '/%d')", 1),
])  # fmt: skip
def test_pages_of_an_app_that_calls_the_pixel_by_itself_count_once(shop, before, steps, n):
    """The pixel counts each by itself and drops the app's call; and none where the page switched that off."""
    shop.base = before + BASE
    shop.open()
    for page in (2, 3, 4):
        shop.page.evaluate(f"() => {{ {steps.replace('%d', str(page))} }}")
    both(shop, *[(ONE, "PageView")] * n)


def test_a_page_view_that_was_refused_counts_once_the_visitor_agrees(shop):
    shop.head = OURS.format(REQUIRED) + SNIPPET
    shop.open()
    shop.page.evaluate(f"MetaTracking.consent('denied'); MetaTracking.consent('granted'); {PAGE_VIEW}")
    both(shop, (ONE, "PageView"))


@pytest.mark.parametrize("consent", ["", REQUIRED])
def test_what_the_pixels_script_had_no_time_for_is_mirrored(shop, consent):
    """It came before us, and its configuration has not come yet: it keeps everything, and was told the person."""
    calls = (
        f"<script>fbevents_endpoint = '{META}'; fbevents_config_delay = 'never'; {BASE} fbq('track', 'Lead')</script>"
    )
    shop.head = SNIPPET.replace('data-src="/fbevents.js"', "") + calls + "<script src=/fbevents.js></script>"
    shop.head, shop.base = shop.head + OURS.format(consent), ""
    shop.open()
    shop.page.evaluate("fbevents_open()")
    if consent:
        shop.page.wait_for_load_state("networkidle")
        assert (shop.posts, shop.images) == ([], [])
        shop.page.evaluate("MetaTracking.consent('granted')")
    both(shop, (ONE, "Lead"), (ONE, "PageView"))
    assert {event["user_data"]["em"] for event in shop.events()} == {"Joe@Example.com "}


def test_a_pixel_that_counted_before_us_counts_pages_alone_also_those_of_the_apps_calls(shop):
    shop.head = SNIPPET
    shop.open()
    shop.wait(0, 1)
    tag = {"src": "/meta-tracking.js", "endpoint": COLLECTOR}
    shop.page.evaluate("""({src, endpoint}) => {
        const tag = Object.assign(document.createElement('script'), {src})
        Object.assign(tag.dataset, {endpoint, mirror: ''})
        document.head.append(tag)
    }""", tag)  # fmt: skip
    shop.page.wait_for_function("window.MetaTracking")
    shop.page.evaluate(f"history.pushState({{}}, '', '/next'); {PAGE_VIEW} fbq('track', 'Lead')")
    shop.wait(1, 3)
    assert [name for name, _ in shop.ids()] == ["Lead"]
    shop.said = [line for line in shop.said if "a second PageView is dropped" not in line]


@pytest.mark.parametrize("held", [True, False])
def test_once_is_once_also_before_the_first_one_is_written_down(shop, held):
    shop.head, shop.base = OURS.format(REQUIRED * held) + SNIPPET, f"fbq('init', '{ONE}')"
    shop.open()
    shop.page.evaluate("""() => {
        MetaTracking.trackOnce('lead_9', 'Lead', {value: 1})
        MetaTracking.trackOnce('lead_9', 'Lead', {value: 2})
        MetaTracking.consent('granted')
    }""")
    shop.wait(1, 1)
    assert shop.ids() == shop.pixel_ids() == [("Lead", "lead_9")]
    again = "MetaTracking.consent('denied'); MetaTracking.consent('granted'); MetaTracking.trackOnce('lead_9', 'Lead')"
    assert shop.page.evaluate(again) == "lead_9", "a refusal took the first one back"


@pytest.mark.parametrize("fetch", ["delete window.fetch", "window.fetch = () => { throw TypeError('no') }"])
def test_a_page_without_fetch_keeps_its_events_and_hears_of_no_error(shop, fetch):
    shop.page.add_init_script(fetch)
    shop.base = ""
    shop.open()
    ids = shop.page.evaluate("['Lead', 'Contact'].map((name) => MetaTracking.track(name))")
    shop.page.wait_for_function("(localStorage._mt || '').includes('Contact')")
    assert shop.page.evaluate("JSON.parse(localStorage._mt).q.map((item) => item.i)") == ids
    assert shop.page.url == HERE + "/"
