"""One script tag beside a site's own pixel: every event of the pixel goes to the collector under the same id."""

import json

import pytest

from tests.browser.shop import BASE, COLLECTOR, HERE, META, ONE, OURS, SNIPPET, TWO

pytestmark = pytest.mark.xdist_group("browser")
CALLS = [
    ["track", "ViewContent", {"content_ids": ["kintsugi"], "value": 49, "currency": "EUR"}],
    ["track", "AddToCart", {"value": 49, "currency": "EUR"}, {"eventID": "cart-1"}],
    ["trackCustom", "Favourite", {"course": "kintsugi"}],
    ["trackSingle", ONE, "Lead", {"value": 1, "currency": "EUR"}],
    ["trackSingleCustom", ONE, "Scrolled", {"share": 0.5}, {"eventID": "scroll-1"}],
    ["track", "Search", {"search_string": "gold"}, {"event_id": "search-1"}],
    ["track", "Contact"],
    ["trackCustom", "Twice"],
    ["trackCustom", "Twice"],
]


@pytest.mark.parametrize("order", ["ours first", "ours behind the snippet", "ours deferred"])
def test_ten_calls_of_a_page_have_the_same_ten_ids_on_both_sides_and_none_twice(shop, order):
    ours = OURS.format("defer") if order == "ours deferred" else OURS.format("")
    shop.head = SNIPPET + ours if order != "ours first" else ours + SNIPPET
    shop.pixel_comes_last = order == "ours behind the snippet"
    if order == "ours deferred":  # before the pixel's own script, which a page loads asynchronously
        shop.head = shop.head.replace('data-src="/fbevents.js"', "")
    calls = ";".join(f"fbq(...{json.dumps(call)})" for call in CALLS[:4])
    shop.base = BASE + calls
    shop.open("/course?utm_source=x&fbclid=IwAR0")
    if order == "ours deferred":
        shop.page.add_script_tag(url="/fbevents.js")
        shop.page.evaluate(f"window.fbevents_endpoint = '{META}'")
    shop.call(*CALLS[4:])
    shop.wait(10, 10)
    assert shop.ids() == shop.pixel_ids() and len({i for _, i in shop.ids()}) == 10 == len(shop.ids())
    assert {("AddToCart", "cart-1"), ("Scrolled", "scroll-1"), ("Search", "search-1")} <= set(shop.ids())
    event = next(event for event in shop.events() if event["event_name"] == "ViewContent")
    assert event["custom_data"] == CALLS[0][2] and event["user_data"]["em"] == "Joe@Example.com "
    assert event["event_source_url"] == f"{HERE}/course?utm_source=x&fbclid=IwAR0"
    assert all(post["body"]["dataset"] == ONE for post in shop.posts)


def test_of_more_calls_in_one_task_than_are_remembered_none_is_lost(shop):
    shop.open()
    shop.call(*[["trackCustom", f"Seen {n}"] for n in range(120)])
    shop.wait(121, 121)
    assert len(shop.ids()) == 121 and shop.ids() == shop.pixel_ids()


def test_a_command_that_the_pixel_does_not_know_is_no_event(shop):
    shop.open()
    shop.call(["trackcustom", "a"], ["tracksingle", ONE, "b"], ["trackEvent", "c"], ["trackCustom", "Last"])
    shop.wait(2, 2)
    assert [name for name, _ in shop.ids()] == ["Last", "PageView"] and shop.ids() == shop.pixel_ids()
    shop.said = [line for line in shop.said if "unknown command" not in line]  # the pixel's own words


def test_each_pixel_is_a_dataset(shop):
    shop.base = BASE + f"fbq('init', '{TWO}', {{ph: '4915112345678'}})"
    shop.open()
    shop.call(["trackSingle", TWO, "Lead"], ["track", "Contact"])
    shop.wait(4, 4)
    sent = [(post["body"]["dataset"], event) for post in shop.posts for event in post["body"]["data"]]
    found = [(dataset, event["event_name"], event["user_data"].get("ph")) for dataset, event in sent]
    assert ("222222222222222", "Lead", "4915112345678") in found
    contacts = [event["event_id"] for event in shop.events() if event["event_name"] == "Contact"]
    assert len(contacts) == 2 and len(set(contacts)) == 1


def test_with_consent_required_nothing_leaves_before_it_and_then_all_with_their_times(shop):
    shop.head = OURS.format('data-consent="required"') + SNIPPET
    shop.open()
    shop.call(*CALLS)
    shop.page.wait_for_load_state("networkidle")
    assert (shop.posts, shop.images, shop.context.cookies()) == ([], [], [])
    shop.page.evaluate("MetaTracking.consent('granted')")
    shop.wait(10, 10)
    assert shop.ids() == shop.pixel_ids() and len(shop.ids()) == 10


def test_a_refusal_keeps_both_sides_silent(shop):
    shop.head = OURS.format('data-consent="required"') + SNIPPET
    shop.open()
    shop.call(*CALLS)
    shop.page.evaluate("MetaTracking.consent('denied')")
    shop.call(*CALLS)
    shop.call(["consent", "grant"])
    shop.page.wait_for_load_state("networkidle")
    assert (shop.posts, shop.images, shop.context.cookies()) == ([], [], [])
    shop.page.evaluate("MetaTracking.consent('granted')")
    shop.call(["track", "Lead"])
    shop.wait(1, 1)
    assert [name for name, _ in shop.ids()] == [name for name, _ in shop.pixel_ids()] == ["Lead"]


def test_pages_of_a_single_page_app_count_once_on_both_sides(shop):
    shop.open("/1")
    shop.wait(1, 1)
    for path in ("/2", "/3", "/4"):
        shop.page.evaluate("path => history.pushState({}, '', path)", path)
    shop.page.evaluate("history.replaceState({}, '', '/4?cleaned')")
    shop.page.evaluate("history.replaceState({}, '', '/4#top')")
    shop.wait(4, 4)
    assert shop.ids() == shop.pixel_ids() and len(shop.ids()) == 4


def test_a_pixel_that_was_at_work_before_keeps_counting_pages_by_itself(shop):
    """What it sent had no id that we could know, so it is not sent a second time by us."""
    shop.head = SNIPPET
    shop.open()
    shop.wait(0, 1)
    shop.page.evaluate(
        "([src, endpoint]) => { const tag = document.createElement('script'); tag.src = src;"
        " tag.dataset.endpoint = endpoint; tag.dataset.mirror = ''; document.head.append(tag) }",
        ["/meta-tracking.js", COLLECTOR],
    )
    shop.page.wait_for_function("window.MetaTracking")
    shop.page.evaluate("history.pushState({}, '', '/next')")
    shop.call(["track", "Lead"])
    shop.wait(1, 3)
    assert [name for name, _ in shop.ids()] == ["Lead"]
    assert sorted(name for name, _ in shop.pixel_ids()) == ["Lead", "PageView", "PageView"]


def test_an_opt_out_restricts_both_copies_or_neither_is_sent(shop):
    shop.page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})")
    shop.open()
    shop.call(["track", "Lead"])
    shop.wait(2, 2)
    assert all(event["gpc"] for event in shop.events()) and {query["dpo"] for query in shop.pixel()} == {"LDU"}
    assert shop.ids() == shop.pixel_ids()
    shop.policy, shop.images = "gpc=withhold, consent=optional", []
    shop.open("/next")
    shop.page.wait_for_load_state("networkidle")
    shop.call(["track", "Contact"])
    shop.open("/third")
    shop.page.wait_for_load_state("networkidle")
    assert shop.images == [] and "withheld" in " ".join(shop.page.evaluate("MetaTracking.debug"))


def test_metas_own_mirror_is_noticed_and_told(shop):
    shop.base = f"fbq('optinMetaEnabledCapi', '{ONE}');" + BASE
    shop.open()
    shop.wait(1, 1)
    assert any("third copy" in line for line in shop.page.evaluate("MetaTracking.debug"))
    assert shop.posts[0]["body"]["hosted_mirror"] is True
    shop.said = [line for line in shop.said if "optinMetaEnabledCapi" not in line]  # the pixel does not know it, either
