"""Who and which click, and how often a page counts."""

import time

import pytest

from tests.browser.tab import cookies, from_server, purchase, rows, track, watched
from tests.processes import Installation, until

pytestmark = pytest.mark.xdist_group("browser")


# -- who and which click -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "domain", "index"),
    [
        ("www.shop.example", ".shop.example", 1),
        ("a.b.shop.example", ".shop.example", 1),
        ("www.shop.co.uk", ".shop.co.uk", 2),
        ("xn--bcher-kva.example", ".xn--bcher-kva.example", 1),
        ("localhost", "localhost", 0),
        ("127.0.0.1", "127.0.0.1", 1),
    ],
)
def test_the_cookies_lie_on_the_registrable_domain(page, context, relay, site, host, domain, index):
    page.goto(site.url("/?fbclid=IwAR-x_Y", host))
    found = cookies(context)
    assert found.keys() == {"_fbp", "_fbc"} and {cookie["domain"] for cookie in found.values()} == {domain}
    assert [cookie["value"].split(".")[1] for cookie in found.values()] == [str(index)] * 2
    assert found["_fbc"]["value"].split(".")[3] == "IwAR-x_Y"
    assert 80 * 86_400 < found["_fbc"]["expires"] - time.time() < 91 * 86_400
    user_data = from_server(relay, track(page, "Lead"))["user_data"]
    assert {name: user_data[name] for name in ("fbp", "fbc")} == {n[1:]: c["value"] for n, c in found.items()}


def test_ids_that_are_there_are_taken_verbatim_and_replaced_by_another_click_alone(page, context, relay, site):
    own = {"_fbp": "fb.1.1596403881668.1116446470.AQYBAQMC", "_fbc": "fb.1.1596403881668.IwAR-one.AQYBAQMC"}
    context.add_cookies([{"name": n, "value": v, "domain": ".shop.example", "path": "/"} for n, v in own.items()])
    for click, kept in (("IwAR-one", True), ("IwAR-Two", False), ("IwAR-Two", True)):
        before = cookies(context)["_fbc"]["value"]
        page.goto(site.url(f"/?fbclid={click}"))
        user_data = from_server(relay, track(page, "Lead", {"n": click, "k": kept}))["user_data"]
        assert user_data["fbp"] == own["_fbp"] and user_data["fbc"] == cookies(context)["_fbc"]["value"]
        assert (user_data["fbc"] == before) is kept and user_data["fbc"].split(".")[3] == click


def test_a_cookie_that_a_server_set_for_this_host_alone_makes_room(page, context, site):
    site_cookie = {"name": "_fbc", "value": "fb.1.1596403881668.IwAR-old", "url": site.url()}
    context.add_cookies([site_cookie])
    page.goto(site.url("/?fbclid=IwAR-new"))
    assert [c["value"].split(".")[3] for c in context.cookies() if c["name"] == "_fbc"] == ["IwAR-new"]


def test_a_visit_is_remembered_for_the_order_that_a_webhook_pays(page, context, relay, site):
    page.goto(site.url("/cart?fbclid=IwAR-order"))
    page.evaluate("MetaTracking.rememberVisitor('order-77')")
    until(lambda: any("202" in line and "order-77" in line for line in page.evaluate("MetaTracking.debug")))
    assert relay.post(purchase("purchase_order-77", order_id="order-77"))[0] == 202
    event = from_server(relay, "purchase_order-77")
    assert event["user_data"]["fbc"] == cookies(context)["_fbc"]["value"]
    assert event["user_data"]["fbp"] == cookies(context)["_fbp"]["value"]
    assert event["user_data"]["client_user_agent"].startswith("Mozilla/5.0")
    assert event["event_source_url"] == site.url("/cart?fbclid=IwAR-order")


# -- counts ------------------------------------------------------------------------------------------------------------


def page_views(relay: Installation, marker: str) -> list[str]:
    events = [row["event"] for row in relay.arrived() if row["source"] == "server"]
    return [e["event_source_url"] for e in events if e["event_name"] == "PageView" and marker in e["event_source_url"]]


def test_a_single_page_app_counts_each_page_once(page, relay, site):
    site.attributes = "data-auto-page-views"
    page.goto(site.url("/spa-1"))
    page.evaluate("history.pushState({}, '', '/spa-2')")
    page.evaluate("history.pushState({}, '', '/spa-2')")
    page.evaluate("history.replaceState({}, '', '/spa-2#reviews')")
    page.evaluate("history.pushState({}, '', '/spa-3')")
    page.go_back()
    until(lambda: len(page_views(relay, "/spa-")) == 4)
    assert sorted(page_views(relay, "/spa-")) == [site.url(f"/spa-{n}") for n in (1, 2, 2, 3)]


def test_a_page_that_is_come_back_to_counts_again(page, relay, site):
    site.attributes = "data-auto-page-views"
    page.goto(site.url("/back-1"))
    page.goto(site.url("/back-2"))
    page.go_back()
    until(lambda: len(page_views(relay, "/back-")) == 3)
    assert sorted(page_views(relay, "/back-")) == [site.url(f"/back-{n}") for n in (1, 1, 2)]


def test_two_tabs_are_one_browser_and_two_events(page, context, relay, site):
    other = watched(context, relay, site)
    page.goto(site.url())
    other.goto(site.url())
    first, second = track(page, "Lead"), track(other, "Lead")
    assert first != second
    assert from_server(relay, first)["user_data"]["fbp"] == from_server(relay, second)["user_data"]["fbp"]
    until(lambda: [len(rows(relay, event_id)) for event_id in (first, second)] == [2, 2])


def test_a_double_click_is_one_event(page, relay, site):
    page.goto(site.url())
    twice = page.evaluate("[MetaTracking.track('Contact'), MetaTracking.track('Contact')]")
    assert twice[0] == twice[1]
    from_server(relay, twice[0])
    page.wait_for_load_state("networkidle")
    assert sum(request.url.endswith("/events") for request in page.sent) == 1
    assert track(page, "Contact", {"content_name": "another"}) != twice[0]


def test_a_page_of_thanks_that_is_visited_again_says_nothing_new(page, relay, site):
    once = "MetaTracking.trackOnce('lead_9', 'Lead', {value: 1, currency: 'EUR'})"
    page.goto(site.url("/thanks"))
    assert page.evaluate(once) == "lead_9"
    until(lambda: len(rows(relay, "lead_9")) == 2)
    page.goto(site.url("/thanks"))
    assert page.evaluate(once) is None
    page.reload()
    assert page.evaluate(once) is None
    page.wait_for_load_state("networkidle")
    assert len(page.sent) == len(rows(relay, "lead_9")) == 2
