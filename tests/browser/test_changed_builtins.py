"""Pages that changed what the language brings along, load the script in another way, or route by newer means."""

import pytest

from tests.browser.shop import COLLECTOR, HERE, META, ONE, OURS, SNIPPET

pytestmark = pytest.mark.xdist_group("browser")
FROZEN = "<script>for (const kind of [Array, Object, Function, String]) Object.freeze(kind.prototype)</script>"
LAYER = "<script>window.dataLayer = []; function gtag() { dataLayer.push(arguments) }</script>"
DENIED = {"ad_storage": "denied", "ad_user_data": "denied"}
OLD_LIBRARY = """<script>
Object.toJSON = (value) => typeof value === 'string' ? '"' + value + '"' : Array.isArray(value) ? value.toJSON()
    : value && typeof value === 'object'
    ? '{' + Object.entries(value).map(([name, one]) => '"' + name + '": ' + Object.toJSON(one)).join(', ') + '}'
    : value + ''
Array.prototype.toJSON = function () { return '[' + this.map((item) => Object.toJSON(item)).join(', ') + ']' }
for (const kind of [String, Number]) kind.prototype.toJSON = function () { return Object.toJSON(this.valueOf()) }
</script>"""
"""As Prototype.js 1.6 wrote JSON, before browsers did."""
EXTENDED = "<script>Object.prototype.each = function () {}; Object.prototype.extra = 'x'</script>"
CART = {"value": 2, "content_ids": ["a", "b"], "contents": [{"id": "a", "quantity": 1}]}


def test_a_refusal_is_heard_where_prototypes_are_frozen(shop):
    """What is only set on Google's data layer does not stay there."""
    shop.head = FROZEN + LAYER + OURS.format("") + SNIPPET
    shop.open()
    shop.wait(1, 1)
    shop.page.evaluate("denied => gtag('consent', 'update', denied)", DENIED)
    assert shop.page.evaluate("MetaTracking.track('Lead')") is None and shop.context.cookies() == []


@pytest.mark.parametrize("library", [OLD_LIBRARY, EXTENDED], ids=["toJSON", "members of every object"])
def test_what_a_library_gave_to_all_values_changes_no_event(shop, library):
    shop.head = library + OURS.format("") + SNIPPET
    shop.open("/?fbclid=IwAR-x_Y")
    shop.page.evaluate("cart => { MetaTracking.track('Lead', cart, {userEmail: 'joe@example.com'}) }", CART)
    shop.wait(2, 2)
    (lead,) = [event for event in shop.events() if event["event_name"] == "Lead"]
    assert lead["custom_data"] == CART and lead["user_data"].keys() == {"email", "fbp", "fbc"}
    assert shop.ids() == shop.pixel_ids() and {cookie["name"] for cookie in shop.context.cookies()} == {"_fbp", "_fbc"}
    assert shop.page.evaluate("JSON.stringify([]) === '[]' && !Array.prototype.toJSON") == (library != OLD_LIBRARY)


def test_a_script_that_is_loaded_as_a_module_keeps_its_settings(shop):
    """The pixel's own script comes after it here; a pixel that began before a module ran had asked nobody."""
    shop.head = OURS.format('data-consent="required"').replace("<script", "<script type=module")
    shop.head += SNIPPET.replace('data-src="/fbevents.js"', "")
    shop.open()
    shop.page.evaluate(f"window.fbevents_endpoint = '{META}'")
    shop.page.add_script_tag(url="/fbevents.js")
    shop.call(["track", "Lead"])
    shop.page.evaluate("MetaTracking.track('Contact')")
    shop.page.wait_for_load_state("networkidle")
    assert (shop.posts, shop.context.cookies()) == ([], [])
    shop.page.evaluate("MetaTracking.consent('granted')")
    shop.wait(2, 2)
    assert {post["url"] for post in shop.posts} == {COLLECTOR} and set(shop.ids()) <= set(shop.pixel_ids())


@pytest.mark.parametrize("attribute", ["data-auto-page-views", "data-mirror"])
def test_a_router_of_the_navigation_api_shows_pages(shop, attribute):
    """Links that it intercepts, navigate(), and in between pushState inside a view transition; each once."""
    shop.head = OURS.replace("data-mirror", attribute).format("") + SNIPPET
    shop.base = f"fbq('init', '{ONE}');" + (attribute == "data-mirror") * "fbq('track', 'PageView')"
    shop.open("/one")
    shop.page.evaluate("""async () => {
        navigation.addEventListener('navigate', (event) => event.canIntercept && event.intercept({async handler() {}}))
        await navigation.navigate('/two').finished
        document.body.insertAdjacentHTML('beforeend', '<a id=link href=/three>on</a>')
        const shown = new Promise((done) => navigation.addEventListener('navigatesuccess', done, {once: true}))
        document.querySelector('#link').click()
        await shown
        await navigation.navigate('/three?sort=price', {history: 'replace'}).finished
        await navigation.navigate('/four', {history: 'replace'}).finished
        await document.startViewTransition(() => history.pushState({}, '', '/five')).finished
        await navigation.back().finished
    }""")
    shop.wait(6, 6)
    seen = [event["event_source_url"].removeprefix(HERE) for event in shop.events()]
    assert seen == ["/one", "/two", "/three", "/four", "/five", "/four"]
    assert shop.ids() == shop.pixel_ids()


PUSHES = """denied => {
    const {push} = dataLayer
    const value = (...entries) => push.apply(dataLayer, entries)
    Object.defineProperty(dataLayer, 'push', {value, configurable: true, enumerable: true})
    gtag('consent', 'update', denied)
}"""


def test_another_script_may_put_its_own_push_in_place_of_ours(shop):
    """Some do it by `defineProperty`, which a property that is fixed answers with an error in the page."""
    shop.head = LAYER + OURS.format("") + SNIPPET
    shop.open()
    shop.page.evaluate(PUSHES, DENIED)
    assert shop.page.evaluate("MetaTracking.track('Lead')") is None


LOCKED = {
    "window.open": "Object.defineProperty(window, 'open', {value: open, writable: false, configurable: false})",
    "history": "Object.freeze(history)",
    "the data layer's name": "Object.defineProperty(window, 'dataLayer', {value: [], writable: false})",
}


@pytest.mark.parametrize("locked", LOCKED)
def test_a_module_stands_what_a_page_has_locked(shop, locked):
    """A module hears of each such refusal as an error; a script does not."""
    shop.head = f"<script>{LOCKED[locked]}</script>" + LAYER.replace(
        "window.dataLayer = [];", "window.dataLayer ||= [];"
    )
    shop.head += OURS.format("data-auto-page-views").replace("<script", "<script type=module")
    shop.base = ""
    shop.open("/one")
    shop.page.evaluate("history.pushState({}, '', '/two')")
    shop.wait(2, 0)
    assert [event["event_source_url"] for event in shop.events()] == [HERE + "/one", HERE + "/two"]
    shop.page.evaluate("denied => gtag('consent', 'update', denied)", DENIED)
    assert shop.page.evaluate("MetaTracking.track('Lead')") is None
