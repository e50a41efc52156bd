"""Our stand-in for Meta's pixel does what the real one (build 2.9.252) was measured to do."""

import hashlib
import json
import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.site import ROOT

pytestmark = pytest.mark.xdist_group("browser")  # one browser for all of them
HERE = "http://www.shop.example"
META = "http://meta.example/tr"
FILES = {path.name: path.read_text() for path in (
    ROOT / "tests/browser/snippet.js", ROOT / "conversion_relay/emulator/fbevents.js"
)}  # fmt: skip
ONE, TWO = "1232612085335834", "222222222222222"
PAGE = (
    '<!doctype html><title>Shop</title><link rel=icon href=data:,><script src="/snippet.js" {}></script><p>Courses</p>'
)


@pytest.fixture
def context(browser: Browser):
    context = browser.new_context()
    context.asked = []

    def answer(route, request):
        context.asked.append(request.url)
        name = request.url.split("?")[0].rpartition("/")[2]
        kind = "text/javascript" if name in FILES else "text/html"
        route.fulfill(status=200, content_type=kind, body=FILES.get(name) or PAGE.format(context.attributes))

    context.attributes = f'data-endpoint="{META}"'
    context.route("**/*", answer)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext):
    page = context.new_page()
    page.said = []
    page.on("console", lambda line: page.said.append(line.text))
    page.goto(f"{HERE}/courses")
    return page


def call(page: Page, *commands: list) -> None:
    page.evaluate("(commands) => commands.forEach((one) => fbq(...one))", list(commands))


def load(page: Page, delay: object = "never", *, opens: bool = True) -> None:
    """fbevents.js arrives; `opens`: the pixels' configurations, too."""
    page.evaluate("(delay) => { window.fbevents_config_delay = delay }", delay)
    page.add_script_tag(url="/fbevents.js")
    page.evaluate("(url) => { window.fbevents_endpoint = url }", META)
    if opens:
        page.evaluate("fbevents_open()")


def sent(page: Page) -> list[dict]:
    return page.evaluate("window.fbevents_sent")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def names(page: Page) -> list[str]:
    return [query["ev"] for query in sent(page)]


def started(page: Page, *commands: list) -> None:
    """A pixel that can send, with nothing sent yet."""
    call(page, ["init", ONE], *commands)
    load(page)


def test_each_event_is_an_image_that_metas_stand_in_can_read(page, context):
    call(page, ["init", ONE, {"email": " Ada@Example.org "}])
    load(page)
    call(page, ["track", "ViewContent", {"value": 12, "content_ids": ["a"]}, {"eventID": "id-1"}])
    (query,) = sent(page)
    assert (query["id"], query["ev"], query["eid"], query["dl"]) == (ONE, "ViewContent", "id-1", f"{HERE}/courses")
    assert (query["cd[value]"], json.loads(query["cd[content_ids]"])) == ("12", ["a"])
    assert query["ud[em]"] == digest("ada@example.org")
    page.wait_for_function("performance.getEntriesByType('resource').some((entry) => entry.name.includes('/tr?'))")
    assert [url for url in context.asked if url.startswith(META)]


def test_the_queue_is_worked_off_in_order_when_the_configuration_is_there(page):
    call(page, ["init", ONE], ["track", "PageView"], ["track", "Search"])
    load(page, opens=False)
    assert page.evaluate("typeof fbq.callMethod") == "function"  # which proves nothing
    call(page, ["track", "Lead"], ["init", TWO])
    assert sent(page) == []
    assert page.evaluate("fbq.queue.length") == 4
    page.evaluate("fbevents_open()")
    assert [(query["id"], query["ev"]) for query in sent(page)] == [(ONE, "PageView"), (ONE, "Search"), (ONE, "Lead")]
    assert page.evaluate("fbevents_asked") == [ONE, TWO]


def test_the_base_code_loads_it_and_the_configuration_comes_after_the_delay(page, context):
    context.attributes = f'data-src="/fbevents.js" data-config-delay="1" data-endpoint="{META}"'
    page.goto(f"{HERE}/courses")
    call(page, ["init", ONE], ["track", "PageView"])
    page.wait_for_function("window.fbevents_sent && fbevents_sent.length === 1")


def test_the_position_of_revoke_in_the_queue_decides(page):
    call(page, ["init", ONE], ["track", "Lead"], ["consent", "revoke"], ["track", "Search"])
    load(page)
    assert names(page) == ["Lead"]


def test_revoke_in_front_means_no_event_no_cookie_and_no_configuration(page, context):
    page.goto(f"{HERE}/courses?fbclid=click")
    call(page, ["consent", "revoke"], ["init", ONE], ["track", "Lead"])
    load(page)
    assert sent(page) == page.evaluate("fbevents_asked") == context.cookies() == []


def test_revoke_drops_nothing_and_grant_replays_with_the_address_of_that_time(page):
    started(page, ["track", "PageView"])
    call(page, ["consent", "revoke"], ["track", "Lead"])
    page.evaluate("history.pushState({}, '', '/thanks')")
    assert names(page) == ["PageView"]
    page.evaluate("history.replaceState({}, '', '/later')")
    call(page, ["consent", "grant"])
    held = [(query["ev"], query["dl"], query.get("auto")) for query in sent(page)[1:]]
    assert held == [
        ("Lead", f"{HERE}/later", None),
        ("PageView", f"{HERE}/later", 1),
        ("PageView", f"{HERE}/later", 1),
    ]


def test_what_is_taken_out_of_the_queue_while_revoked_is_never_sent(page):
    started(page, ["track", "PageView"])
    call(page, ["consent", "revoke"], ["track", "Lead"])
    page.evaluate("fbq.queue.length = 0")
    call(page, ["consent", "grant"], ["track", "Search"])
    assert names(page) == ["PageView", "Search"]


def test_revoke_at_once_during_configuration_holds_events_yet_the_click_cookie_is_written(page, context):
    page.goto(f"{HERE}/courses?fbclid=Click-1")
    call(page, ["init", ONE], ["track", "Lead"])
    load(page, opens=False)
    call(page, ["consent", "revoke"])
    page.evaluate("fbevents_open()")
    assert sent(page) == []
    assert [cookie["name"] for cookie in context.cookies()] == ["_fbc"]


def test_limited_data_use_acts_on_what_comes_after_it_and_two_arguments_are_ignored(page):
    ldu = ["dataProcessingOptions", ["LDU"], 0, 0]
    started(page, ["track", "A"], ldu, ["track", "B"])
    call(page, ["dataProcessingOptions", []], ["track", "C"], ldu[:3], ["track", "D"], ldu[:2], ["track", "E"])
    limited = {query["ev"]: (query.get("dpo"), query.get("dpoco"), query.get("dpost")) for query in sent(page)}
    none, both = (None, None, None), ("LDU", 0, 0)
    assert limited == {"A": none, "B": both, "C": none, "D": none, "E": both}


def test_a_second_page_view_is_dropped_unless_allowed_but_not_one_to_a_single_pixel(page):
    started(page, ["trackSingle", ONE, "PageView"], ["track", "PageView"], ["track", "PageView"])
    call(page, ["trackCustom", "PageView"], ["track", "Lead"], ["track", "Lead"], ["trackSingle", ONE, "PageView"])
    assert names(page) == ["PageView", "PageView", "Lead", "Lead", "PageView"]
    page.evaluate("fbq.allowDuplicatePageViews = true")
    call(page, ["track", "PageView"])
    page.evaluate("fbq.allowDuplicatePageViews = false")
    call(page, ["track", "PageView"])
    assert names(page)[5:] == ["PageView"]


def test_without_this_the_guard_is_passed_by(page):
    started(page, ["track", "PageView"])
    page.evaluate("fbq.callMethod.call(undefined, 'track', 'PageView')")
    assert [(query["ev"], query.get("ie[a]")) for query in sent(page)] == [("PageView", None), ("PageView", 1)]


def test_one_automatic_page_view_whenever_the_address_changed_hash_included(page):
    started(page)
    page.evaluate("history.pushState({}, '', '/too-early')")
    page.evaluate("window.heard = []")
    page.evaluate("fbq = new Proxy(fbq, {apply: (f, that, args) => (heard.push(args), f(...args))}); 0")
    call(page, ["track", "PageView", {}, {"eventID": "mine"}])
    for change in ("push", "push", "replace"):
        page.evaluate(f"history.{change}State({{}}, '', '/{change}')")
    page.evaluate("location.hash = 'part'")
    page.wait_for_function("fbevents_sent.length === 4")
    assert [query["dl"].removeprefix(HERE) for query in sent(page)] == [
        "/too-early",
        "/push",
        "/replace",
        "/replace#part",
    ]
    assert [(query.get("auto"), "eid" in query) for query in sent(page)] == [(None, True), *[(1, False)] * 3]
    assert len(page.evaluate("heard")) == 1  # they do not pass through window.fbq


def test_disable_push_state_is_read_at_the_first_event_and_never_again(page):
    started(page)
    page.evaluate("fbq.disablePushState = true")
    call(page, ["track", "PageView"])
    page.evaluate("fbq.disablePushState = false; history.pushState({}, '', '/two')")
    assert len(sent(page)) == 1


def test_disabling_it_after_the_first_event_is_too_late(page):
    started(page, ["track", "PageView"])
    page.evaluate("fbq.disablePushState = true; history.pushState({}, '', '/two')")
    assert len(sent(page)) == 2


def test_a_page_that_comes_back_always_sends_a_page_view(page):
    page.evaluate("fbq.disablePushState = true")
    started(page, ["track", "PageView"])
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    assert [(query["ev"], query.get("auto")) for query in sent(page)] == [("PageView", None), ("PageView", 1)]


def test_the_click_comes_from_the_address_else_from_the_referrer(page, context):
    page.goto(f"{HERE}/?fbclid=From-Referrer")
    page.evaluate("history.replaceState({}, '', '/?fbclid=From-Referrer'); location.href = '/courses'")
    page.wait_for_url("**/courses")
    started(page)
    (cookie,) = context.cookies()
    assert re.fullmatch(r"fb\.1\.\d{13}\.From-Referrer", cookie["value"])
    assert (cookie["domain"], cookie["sameSite"], cookie["secure"]) == (".shop.example", "Lax", False)
    assert page.evaluate("JSON.parse(localStorage.multiFbc)") == [cookie["value"]]


def test_a_click_above_five_hundred_characters_is_ignored(page, context):
    page.goto(f"{HERE}/?fbclid={'x' * 501}")
    started(page)
    assert context.cookies() == []


def test_both_cookies_are_written_again_at_each_event_for_ninety_days(page, context):
    page.goto(f"{HERE}/?fbclid=Click")
    started(page, ["track", "A"])
    before = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    assert re.fullmatch(r"fb\.1\.\d{13}\.\d{18}", before["_fbp"])
    for name, value in before.items():
        page.evaluate(
            "(text) => { document.cookie = text }", f"{name}={value}; domain=.shop.example; path=/; max-age=9"
        )
    call(page, ["track", "B"])
    now = page.evaluate("Date.now() / 1000")
    assert {cookie["name"]: cookie["value"] for cookie in context.cookies()} == before
    assert all(cookie["expires"] - now > 89 * 86_400 for cookie in context.cookies())
    assert (sent(page)[1]["fbp"], sent(page)[1]["fbc"]) == (before["_fbp"], before["_fbc"])


def test_a_function_in_its_place_ends_it_in_silence_and_a_proxy_does_not(page):
    started(page)
    page.evaluate("window.whole = fbq; fbq = new Proxy(fbq, {}); 0")
    call(page, ["track", "A"])
    page.evaluate("fbq = (...args) => whole(...args); 0")
    call(page, ["track", "B"])
    assert (names(page), page.said) == (["A"], [])


def test_a_proxy_from_before_it_loads_keeps_queue_and_flags(page):
    page.evaluate("fbq = new Proxy(fbq, {}); fbq.allowDuplicatePageViews = true")
    started(page, ["track", "PageView"], ["track", "PageView"])
    assert names(page) == ["PageView", "PageView"]


def test_several_pixels_get_the_same_event_under_the_same_id_and_one_alone_by_track_single(page):
    started(page, ["init", TWO])
    call(page, ["track", "Lead", {}, {"event_id": 7}], ["trackSingle", TWO, "Search"], ["trackSingle", "9", "Contact"])
    assert [(query["id"], query["ev"], query.get("eid")) for query in sent(page)] == [
        (ONE, "Lead", 7),
        (TWO, "Lead", 7),
        (TWO, "Search", None),
    ]


def test_an_id_in_the_data_or_an_empty_one_is_none(page):
    started(page, ["track", "A", {"eventID": "here"}], ["track", "B", {}, {"eventID": ""}])
    assert [query.get("eid") for query in sent(page)] == [None, None]


def test_a_second_init_adds_matching_data_only_where_the_first_had_none(page):
    started(page, ["init", ONE, {"em": "a@example.org"}], ["init", ONE, {"em": "b@example.org"}], ["track", "Lead"])
    (query,) = sent(page)
    assert query["ud[em]"] == digest("a@example.org")
    assert any("duplicate pixel" in line for line in page.said)


def test_settings_are_taken_and_unknown_commands_only_logged(page):
    started(page, ["set", "autoConfig", False, ONE], ["optinMetaEnabledCapi", ONE], ["track", "Lead"])
    assert names(page) == ["Lead"]
    assert page.said == ["fbevents: unknown command optinMetaEnabledCapi"]
