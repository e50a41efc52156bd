"""What a visitor says in one tab holds in the others of the site, too."""

import pytest
from playwright.sync_api import Page

from tests.browser.shop import BASE, HERE, OURS

pytestmark = pytest.mark.xdist_group("browser")
DENY, AGREE = "MetaTracking.consent('denied')", "MetaTracking.consent('granted')"
TCF = """window.__tcfapi = (verb, version, heard) => {
    const purpose = {consents: {1: true, 3: true, 4: true, 7: true}};
    window.tell = (status) => heard({gdprApplies: true, eventStatus: status, addtlConsent: '2~89~dv.', purpose}, true);
    tell('tcloaded');
};"""
STATE = "MetaTracking.debug.findLast(line => line.startsWith('consent '))"


@pytest.fixture
def other(shop) -> Page:
    """A second tab of the same shop, behind `shop.page`."""
    page = shop.context.new_page()
    page.on("pageerror", lambda error: shop.said.append(str(error)))
    return page


def until_state(page: Page, state: str) -> None:
    page.wait_for_function(f"{STATE} === 'consent {state}'")


def count(shop, other: Page) -> tuple[int, int]:
    other.wait_for_load_state("networkidle")
    return len(shop.events()), other.evaluate("fbevents_sent.length")


@pytest.mark.parametrize("has_sent", [True, False])
def test_a_denial_in_one_tab_stops_the_other_on_both_sides(shop, other, has_sent):
    shop.base = BASE if has_sent else "fbq('init', '1')"
    shop.open()
    other.goto(HERE + "/other", wait_until="load")
    for page in (shop.page, other):
        page.evaluate(AGREE)
        page.wait_for_function("!!window.fbevents_sent")
    if has_sent:
        shop.wait(2, 1)
    shop.page.evaluate(DENY)
    until_state(other, "denied")
    assert shop.context.cookies() == []
    before = count(shop, other)
    other.evaluate("fbq('track', 'Lead'); MetaTracking.track('Contact')")
    assert count(shop, other) == before
    assert shop.context.cookies() == [] and other.evaluate("localStorage.length") == 0
    shop.page.evaluate(AGREE + "; fbq('track', 'Search')")
    shop.wait(before[0] + 1, 1)
    assert shop.page.evaluate(STATE) == "consent granted", "what the other forgot is no denial in its turn"
    assert other.evaluate("MetaTracking.track('Contact')") is None, "a denial holds until the visitor answers there"
    other.evaluate(AGREE + "; MetaTracking.track('Lead')")
    shop.wait(before[0] + 2, 1)


def test_a_denial_that_is_said_again_takes_back_what_another_tab_was_told_since(shop, other):
    shop.open()
    other.goto(HERE + "/other", wait_until="load")
    shop.page.evaluate(DENY)
    until_state(other, "denied")
    other.evaluate(AGREE)
    assert {"_fbp"} == {cookie["name"] for cookie in shop.context.cookies()}
    shop.page.evaluate(DENY)
    until_state(other, "denied")
    assert shop.context.cookies() == [] and other.evaluate("localStorage.length") == 0


def test_who_agrees_in_a_tab_that_heard_of_a_denial_is_believed(shop, other):
    """A consent platform's state there is the old one, its next answer is not."""
    other.add_init_script(TCF)
    shop.open()
    other.goto(HERE + "/other", wait_until="load")
    until_state(other, "granted")
    shop.page.evaluate(DENY)
    until_state(other, "denied")
    other.evaluate("tell('tcloaded')")
    assert other.evaluate(STATE) == "consent denied"
    other.evaluate("tell('useractioncomplete')")
    assert other.evaluate(STATE) == "consent granted"


@pytest.mark.parametrize(("text", "state"), [(None, "denied"), ("localStorage._mt", "denied"), ("'{}'", "open")])
def test_a_denial_that_is_heard_late_counts_unless_somebody_agreed_since(shop, text, state):
    """A tab that was asleep, or wrote something down itself before it heard."""
    shop.open()
    shop.wait(1, 1)
    shop.page.wait_for_function("'_mt' in localStorage")
    shop.page.wait_for_load_state("networkidle")
    if text:
        shop.page.evaluate(f"localStorage._mt = {text}")
    else:
        shop.page.evaluate("delete localStorage._mt")
    shop.page.evaluate("dispatchEvent(new StorageEvent('storage', {key: '_mt', newValue: null}))")
    assert shop.page.evaluate(STATE) == f"consent {state}"


def test_a_managers_event_without_an_answer_lifts_nothing(shop, other):
    names = 'data-consent-state="Manager.yes" data-consent-answered="Manager.done" data-consent-event="manager-changed"'
    shop.head = "<script>Manager = {yes: false, done: false}</script>" + OURS.format(names)
    shop.base = ""
    shop.open()
    other.goto(HERE + "/other", wait_until="load")
    shop.page.evaluate(DENY)
    until_state(other, "denied")
    change = "given => { Object.assign(Manager, given); dispatchEvent(new Event('manager-changed')) }"
    other.evaluate(change, {"yes": True})
    other.evaluate("MetaTracking.configure({})")
    assert other.evaluate(STATE) == "consent denied"
    other.evaluate(change, {"done": True})
    assert other.evaluate(STATE) == "consent granted"


def test_a_page_that_empties_its_storage_denies_nothing(shop, other):
    shop.open()
    other.goto(HERE + "/other", wait_until="load")
    shop.wait(2, 1)
    heard = "new Promise(done => addEventListener('storage', ({key}) => key === 'after' && done(), true))"
    other.evaluate(f"window.heard = {heard}; 0")
    shop.page.evaluate("localStorage.clear(); localStorage.after = 1")
    other.evaluate("heard")
    assert other.evaluate(STATE) == "consent open"
    shop.page.evaluate("localStorage.clear()")
