"""A checkout that a form or a script opens takes the reference along as a link does."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.stage import Stage
from tests.browser.test_checkout_links import remembered
from tests.processes import until

pytestmark = pytest.mark.xdist_group("browser")
FORM = '<form action="{}" method={}><input name=a value=b><button id=pay>pay</button></form>'
WAYS = {
    "location.href": "to => { location.href = to }",
    "location.assign": "to => location.assign(to)",
    "location.replace": "to => location.replace(to)",
    "navigation.navigate": "to => { navigation.navigate(to) }",  # which would tell the page of a way that was stopped
    "a link out of the page": "to => Object.assign(document.createElement('a'), {href: to}).click()",
    "a link in a drawing": """to => {
        document.body.insertAdjacentHTML('beforeend', `<svg><a href="${to}"><text y=20>pay</text></a></svg>`)
        document.querySelector('svg a').dispatchEvent(new MouseEvent('click', {bubbles: true, composed: true}))
    }""",
    "window.open": "to => { window.open(to) }",
    "window.open in this tab": "to => { window.open(to, '_self') }",
}
SUBMITS = {
    "a click": "() => document.querySelector('#pay').click()",
    "submit()": "() => document.querySelector('form').submit()",
    "requestSubmit()": "() => document.querySelector('form').requestSubmit()",
}


def opened(tab: Page, script: str, *given: str) -> tuple[str, dict[str, list[str]]]:
    """The method and the fields with which the checkout is opened."""
    # Nobody arrives there: a tab that is on its way may never be closed.
    tab.context.route(lambda url: urlsplit(url).path == "/pay", lambda route: route.fulfill(status=204))
    with tab.context.expect_event("request", lambda request: urlsplit(request.url).path == "/pay") as asked:
        tab.evaluate(script, *given)
    request = asked.value
    return request.method, parse_qs(request.post_data or urlsplit(request.url).query)


@pytest.mark.parametrize("way", WAYS)
def test_what_a_script_opens_has_the_reference_and_the_visit_is_remembered_once(tab: Page, stage: Stage, way):
    tab.goto(stage.url("/?fbclid=IwAR-opens"))
    _, query = opened(tab, WAYS[way], stage.url("/pay?a=b", "buy.stripe.com"))
    (visit,) = until(lambda: remembered(stage), 20)
    assert query == {"a": ["b"], "client_reference_id": [visit["key"]]} and visit["fbc"].endswith(".IwAR-opens")


@pytest.mark.parametrize("way", ["location.href = to", "location.replace(to)"])
def test_the_way_back_from_the_checkout_is_the_pages_own(tab: Page, stage: Stage, way):
    """A page that gave its place in the history to the checkout would only lead there again."""
    tab.goto(stage.url("/courses"))
    tab.goto(stage.url("/cart"))
    tab.evaluate(f"to => setTimeout(() => {{ {way} }})", stage.url("/pay", "seller.gumroad.com"))
    tab.wait_for_url("**/pay?client_reference_id=*")
    tab.go_back()
    assert tab.url == stage.url("/cart" if "href" in way else "/courses")


@pytest.mark.parametrize(
    ("method", "host", "name"),
    [("GET", "buy.stripe.com", "client_reference_id"), ("POST", "www.paypal.com", "custom")],
)
@pytest.mark.parametrize("submit", SUBMITS)
def test_a_form_has_it_as_a_field_of_its_own(tab: Page, stage: Stage, submit, method, host, name):
    stage.more = FORM.format(stage.url("/pay", host), method)
    tab.goto(stage.url())
    before = tab.inner_html("form")
    how, fields = opened(tab, SUBMITS[submit])
    (visit,) = until(lambda: remembered(stage), 20)
    assert (how, fields) == (method, {"a": ["b"], name: [visit["key"]]})
    assert tab.inner_html("form") == before, "the page's form is as it was"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_button_of_a_form_that_leads_elsewhere_than_the_form_takes_it_along(tab: Page, stage: Stage, method):
    to = stage.url("/pay", "www.paypal.com")
    stage.more = FORM.format("/next", method).replace("<button", f'<button formaction="{to}"')
    tab.goto(stage.url())
    how, fields = opened(tab, SUBMITS["a click"])
    (visit,) = until(lambda: remembered(stage), 20)
    assert (how, fields) == (method, {"a": ["b"], "custom": [visit["key"]]})


def test_a_reference_that_is_there_is_kept_and_the_visit_is_remembered_under_it(tab: Page, stage: Stage):
    tab.goto(stage.url())
    to = stage.url("/pay?client_reference_id=order-7", "buy.stripe.com")
    assert opened(tab, WAYS["location.href"], to)[1] == {"client_reference_id": ["order-7"]}
    (visit,) = until(lambda: remembered(stage), 20)
    assert visit["key"] == "order-7"


@pytest.mark.parametrize("way", ["location.href", "window.open"])
def test_without_consent_nothing_is_changed(tab: Page, stage: Stage, way):
    stage.attributes = 'data-consent="required"'
    tab.goto(stage.url())
    assert opened(tab, WAYS[way], stage.url("/pay?a=b", "buy.stripe.com"))[1] == {"a": ["b"]}
    assert stage.posts == []


@pytest.mark.parametrize("way", ["location.href", "window.open"])
def test_other_places_are_left_alone(tab: Page, stage: Stage, way):
    tab.goto(stage.url())
    assert opened(tab, WAYS[way], stage.url("/pay?a=b&c", "evilgumroad.com")) == ("GET", {"a": ["b"]})
    assert remembered(stage) == []


def test_window_open_gives_what_it_gave(tab: Page, stage: Stage):
    """With whatever a page says: nothing, a path, a URL, a name; and what cannot be opened still throws."""
    stage.more = "<iframe name=inner></iframe>"
    tab.goto(stage.url())
    tab.context.route(lambda url: urlsplit(url).path == "/pay", lambda route: route.fulfill(status=204))
    opens = """() => {
        const thrown = (to) => { try { open(to) } catch (error) { return error.name } }
        return [open('/next', 'inner') === frames.inner, open(new URL('/next', location), 'inner') === frames.inner,
                open(undefined, 'inner') === frames.inner, thrown('http://[')]
    }"""
    assert tab.evaluate(opens) == [True, True, True, "SyntaxError"]
    assert not any("Error" in line for line in tab.evaluate("MetaTracking.debug") if "Invalid URL" not in line)


@pytest.mark.parametrize("own", ["false", "null", "function () { return this }"])
def test_what_the_page_calls_open_is_left_to_it(tab: Page, stage: Stage, own):
    stage.head = f'<script src="/own.js"></script>{stage.ours}'
    stage.scripts["/own.js"] = f"open = own = {own}"
    tab.goto(stage.url())
    assert tab.evaluate("window.open === own && !!MetaTracking.track('Lead')")


def test_a_form_whose_action_is_hidden_by_a_field_is_sent_as_it_is(tab: Page, stage: Stage):
    stage.more = FORM.format(stage.url("/pay", "buy.stripe.com"), "GET").replace("name=a", "name=action")
    tab.goto(stage.url())
    assert opened(tab, SUBMITS["a click"]) == ("GET", {"action": ["b"]})


def test_a_post_is_not_sent_twice(tab: Page, stage: Stage):
    """Its body would be lost: an address that a form posts to is not opened anew."""
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.method) if "/pay" in request.url else None)
    stage.more = FORM.format(stage.url("/pay", "www.paypal.com"), "POST")
    tab.goto(stage.url())
    how, fields = opened(tab, SUBMITS["submit()"])
    until(lambda: remembered(stage), 20)
    tab.wait_for_load_state("networkidle")
    assert how == "POST" and asked == ["POST"] and fields["a"] == ["b"]
