"""A link that leaves for a hosted checkout takes along what the payment's webhook will bring back."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.stage import Stage
from tests.processes import until

pytestmark = pytest.mark.xdist_group("browser")
LINKS = {
    "buy.stripe.com": "client_reference_id",
    "shop.lemonsqueezy.com": "checkout[custom][order_id]",
    "seller.gumroad.com": "client_reference_id",
    "www.paypal.com": "custom",
}
"""By the names that our payments' doors read (conversion_relay/payments)."""


def link(stage: Stage, host: str, more: str = "", path: str = "/pay?a=b") -> str:
    return f'<a id=pay href="{stage.url(path, host)}" {more}>pay</a>'


def paid(tab: Page, **click: object) -> dict[str, list[str]]:
    """The query with which the checkout is opened. Stripe and PayPal are known to take TLS alone: none comes there."""
    # Nobody arrives there: a tab that is on its way may never be closed.
    tab.context.route(lambda url: urlsplit(url).path == "/pay", lambda route: route.fulfill(status=204))
    with tab.context.expect_event("request", lambda request: urlsplit(request.url).path == "/pay") as asked:
        tab.click("#pay", no_wait_after=True, **click)
    return parse_qs(urlsplit(asked.value.url).query)


def remembered(stage: Stage) -> list[dict]:
    return [post.body for post in list(stage.posts) if post.path == "/visitors"]


@pytest.mark.parametrize("host", LINKS)
def test_the_reference_is_in_the_address_and_the_visit_is_remembered_under_it(tab: Page, stage: Stage, host):
    stage.more = link(stage, host)
    tab.goto(stage.url("/?fbclid=IwAR-pays"))
    query = paid(tab)
    (visit,) = until(lambda: remembered(stage))
    assert query == {"a": ["b"], LINKS[host]: [visit["key"]]}
    assert visit["fbc"].endswith(".IwAR-pays") and visit["event_source_url"] == stage.url("/?fbclid=IwAR-pays")


def test_a_reference_that_is_there_is_kept_and_another_name_is_the_sites_word(tab: Page, stage: Stage):
    stage.more = link(stage, "pay.example", 'data-checkout="ref"', "/pay?ref=order-7")
    tab.goto(stage.url())
    assert paid(tab) == {"ref": ["order-7"]}
    (visit,) = until(lambda: remembered(stage))
    assert visit["key"] == "order-7"


def test_a_link_that_is_opened_beside_the_page_takes_it_along_too(tab: Page, stage: Stage):
    """The middle button is no click to a script."""
    stage.more = link(stage, "buy.stripe.com")
    tab.goto(stage.url())
    tab.click("#pay", button="middle")
    (visit,) = until(lambda: remembered(stage))
    assert f"client_reference_id={visit['key']}" in tab.get_attribute("#pay", "href")


ON_IT = {
    "an icon": '<svg><use href="#cart" id=drawn /></svg>',
    "an image of a drawing": '<svg><image href="data:," width=9 height=9 id=drawn /></svg>',
    "a component with an address of its own": "<my-icon id=drawn>pay</my-icon>",
}


@pytest.mark.parametrize("what", ON_IT)
def test_a_link_takes_it_along_whatever_is_drawn_on_it(tab: Page, stage: Stage, what):
    """What has an address, too, and is no link."""
    stage.more = f'<a id=pay href="{stage.url("/pay", "buy.stripe.com")}">{ON_IT[what]}</a>'
    tab.goto(stage.url())
    tab.evaluate("""() => {
        customElements.define('my-icon', class extends HTMLElement { get href() { return '/cart.svg' } })
        const pay = document.querySelector('#pay')
        pay.onclick = (event) => event.preventDefault()
        const click = new MouseEvent('click', {bubbles: true, composed: true, cancelable: true})
        document.querySelector('#drawn').dispatchEvent(click)
    }""")
    (visit,) = until(lambda: remembered(stage))
    assert f"client_reference_id={visit['key']}" in tab.get_attribute("#pay", "href")


@pytest.mark.parametrize("host", ["evilgumroad.com", "www.shop.example", "buy.stripe.com.shop.example"])
def test_other_links_are_left_alone(tab: Page, stage: Stage, host):
    stage.more = link(stage, host)
    tab.goto(stage.url())
    assert paid(tab) == {"a": ["b"]} and remembered(stage) == []


def test_without_consent_the_link_stays_as_it_is(tab: Page, stage: Stage):
    stage.attributes, stage.more = 'data-consent="required"', link(stage, "buy.stripe.com")
    tab.goto(stage.url())
    assert paid(tab) == {"a": ["b"]} and stage.posts == []
