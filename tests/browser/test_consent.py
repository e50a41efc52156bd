"""What the script does before, after and without the visitor's consent."""

import json
import time

import pytest
from playwright.sync_api import Page

from tests.browser.tab import cookies, from_server, purchase, rows, stored, track
from tests.processes import until

pytestmark = pytest.mark.xdist_group("browser")


def test_before_consent_nothing_is_sent_or_kept_and_then_everything_with_its_time(page, context, relay, site):
    site.attributes = 'data-consent="required" data-auto-page-views'
    page.goto(site.url("/?fbclid=IwAR-required"))
    at = time.time()
    event_id = track(page, "Lead")
    page.evaluate("history.pushState({}, '', '/elsewhere')")
    page.wait_for_load_state("networkidle")
    until(lambda: time.time() > at + 2, every=0.2)
    assert (page.sent, cookies(context), stored(page)) == ([], {}, 0)
    page.evaluate("MetaTracking.consent('granted')")
    event = from_server(relay, event_id)
    assert abs(event["event_time"] - at) <= 1
    assert event["event_source_url"] == site.url("/?fbclid=IwAR-required")
    assert event["user_data"]["fbc"] == cookies(context)["_fbc"]["value"]
    assert event["user_data"]["fbc"].endswith(".IwAR-required")


def test_a_refusal_forgets_what_was_held(page, context, relay, site):
    site.attributes = 'data-consent="required"'
    page.goto(site.url())
    track(page, "Lead")
    page.evaluate("MetaTracking.consent('denied')")
    assert track(page, "Contact") is None
    page.wait_for_load_state("networkidle")
    page.goto(site.url("/next"))
    assert (page.sent, cookies(context), stored(page)) == ([], {}, 0)
    page.evaluate("MetaTracking.consent('denied')")
    assert track(page, "Lead") is None and "denied" in page.evaluate("MetaTracking.debug").pop()


def test_who_refuses_within_the_same_moment_is_heard_before_what_was_put_off(page, context, site):
    """A banner's answer may come in the very task that reported an event, before the first look at cookies."""
    page.goto(site.url())
    page.wait_for_load_state("networkidle")
    page.evaluate("localStorage.theirs = localStorage.multiFbc = localStorage.lastExternalReferrer = 'x'")
    page.evaluate("MetaTracking.track('Lead'); MetaTracking.consent('denied')")
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert (cookies(context), page.evaluate("Object.keys(localStorage)")) == ({}, ["theirs"])
    assert not [request for request in page.sent if request.url.endswith("/events")], "the pixel had it before"


def test_a_form_takes_no_ids_along_before_the_visitor_agrees(page, site):
    site.attributes = 'data-consent="required"'
    page.goto(site.url())
    page.evaluate("document.cookie = '_fbp=fb.1.1596403881668.1116446470'")
    assert "fbp" not in page.evaluate("MetaTracking.visitor()")
    page.evaluate("MetaTracking.consent('granted')")
    assert page.evaluate("MetaTracking.visitor()")["fbp"] == "fb.1.1596403881668.1116446470"


def test_a_refusal_withdraws_what_meta_has_not_got_yet(page, context, relay, site):
    relay.misbehave(mode="down")
    page.goto(site.url())
    event_id = track(page, "Lead")
    until(lambda: relay.command("explain", event_id).returncode == 0)
    page.evaluate("MetaTracking.consent('denied')")
    until(lambda: b"erased" in relay.command("explain", event_id, "--json").stdout)
    assert (cookies(context), stored(page)) == ({}, 0)
    relay.misbehave(mode="none")
    page.evaluate("MetaTracking.consent('granted')")
    from_server(relay, track(page, "Search"))
    assert [row["source"] for row in rows(relay, event_id)] == ["browser"]


def test_a_refusal_takes_the_place_of_the_visits_that_were_remembered_for_an_order(page, context, relay, site):
    page.goto(site.url("/cart?fbclid=IwAR-refused"))
    page.evaluate("MetaTracking.rememberVisitor('order-refused')")
    until(lambda: any("202" in line and "order-refused" in line for line in page.evaluate("MetaTracking.debug")))
    page.goto(site.url("/next"))
    with page.expect_response("**/visitors") as answer:
        page.evaluate("MetaTracking.consent('denied')")
    assert answer.value.status == 202 and page.sent[-1].post_data_json == {"key": "order-refused", "consent": "denied"}
    outcome = relay.post(purchase("purchase_order-refused", order_id="order-refused"))
    assert outcome[1]["refused"][0]["reason"] == "consent_denied"
    assert (cookies(context), stored(page)) == ({}, 0)


def test_a_visit_that_is_on_its_way_is_refused_behind_it(page, relay, site):
    page.goto(site.url())
    page.wait_for_load_state("networkidle")
    told = []

    def late(route):
        told.append(route.request.post_data_json)
        if len(told) == 1:
            page.evaluate("MetaTracking.consent('denied')")
        route.continue_()

    page.route("**/visitors", late)
    page.evaluate("MetaTracking.rememberVisitor('order-crossed')")
    until(lambda: len([line for line in page.evaluate("MetaTracking.debug") if "202" in line]) == 3)
    assert told[1:] == [{"key": "order-crossed", "consent": "denied"}] * 2
    outcome = relay.post(purchase("purchase_order-crossed", order_id="order-crossed"))
    assert outcome[1]["refused"][0]["reason"] == "consent_denied"


TCF = """
    window.hear = [];
    window.__tcfapi = (command, version, listener) => { if (command === 'addEventListener') hear.push(listener) };
"""


def tcf(page: Page, status: str, *purposes: int, applies: bool = True, vendors: str = "2~89~dv.7") -> None:
    """Who agrees to the purposes agrees to Meta by name as well: it has 89 in Google's list of further vendors."""
    data = {"gdprApplies": applies, "eventStatus": status, "purpose": {"consents": dict.fromkeys(purposes, True)}}
    data["addtlConsent"] = vendors
    page.evaluate("data => hear.forEach(listener => listener(data, true))", data)


def test_iab_tcf_decides(page, context, relay, site):
    page.add_init_script(TCF)
    page.goto(site.url())
    event_id = track(page, "Lead")
    tcf(page, "cmpuishown")
    page.wait_for_load_state("networkidle")
    assert (page.sent, cookies(context), stored(page)) == ([], {}, 0)
    tcf(page, "useractioncomplete", 1, 2, 3, 4, 7, 9)
    from_server(relay, event_id)
    page.goto(site.url("/next"))
    count = len(page.sent)
    track(page, "Lead")
    tcf(page, "tcloaded", 2, 7)
    page.wait_for_load_state("networkidle")
    assert [request.url for request in page.sent[count:]] == [f"{relay.url}/withdraw"], "what the page before had sent"
    assert track(page, "Contact") is None


@pytest.mark.parametrize(("vendors", "state"), [("2~7.890~dv.9", "held"), ("2~7~dv.89", "denied"), (None, "held")])
def test_who_agrees_to_the_purposes_and_not_to_meta_has_not_agreed(page, context, site, vendors, state):
    page.add_init_script(TCF)
    page.goto(site.url())
    track(page, "Lead")
    tcf(page, "useractioncomplete", 1, 2, 3, 4, 7, vendors=vendors)
    page.wait_for_load_state("networkidle")
    assert (page.sent, cookies(context), stored(page)) == ([], {}, 0)
    assert f"consent {state}" in page.evaluate("MetaTracking.debug")


def test_where_the_gdpr_does_not_apply_nobody_has_to_ask(page, relay, site):
    page.add_init_script(TCF)
    page.goto(site.url())
    event_id = track(page, "Lead")
    tcf(page, "tcloaded", applies=False)
    from_server(relay, event_id)


GTAG = "window.dataLayer = []; window.gtag = function () { dataLayer.push(arguments) };"
DENIED = {"ad_storage": "denied", "ad_user_data": "denied", "ad_personalization": "denied"}


def gtag(page: Page, kind: str, answer: str) -> None:
    values = json.dumps(dict.fromkeys(DENIED, answer))
    page.evaluate(f"gtag('consent', '{kind}', {values})")


@pytest.mark.parametrize("default", ["before", "after"])
def test_google_consent_mode_decides(page, context, relay, site, default):
    page.add_init_script(GTAG + (f"gtag('consent', 'default', {json.dumps(DENIED)})" if default == "before" else ""))
    site.attributes = "" if default == "before" else 'data-consent="required"'
    page.goto(site.url())
    if default == "after":
        gtag(page, "default", "denied")
    held = track(page, "Lead")
    page.wait_for_load_state("networkidle")
    assert (page.sent, cookies(context), stored(page)) == ([], {}, 0)
    gtag(page, "update", "granted")
    from_server(relay, held)
    gtag(page, "update", "denied")
    assert track(page, "Contact") is None and cookies(context) == {}


def test_global_privacy_control(page, context, relay, site):
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})")
    site.is_proxy = True  # limited data use needs a visitor's address
    page.goto(site.url("/?fbclid=IwAR-gpc"))
    event = from_server(relay, track(page, "Lead"))
    assert event["data_processing_options"] == ["LDU"]
    assert "fbp" not in event["user_data"] and (cookies(context), stored(page)) == ({}, 0)
    site.attributes = 'data-consent="required"'
    page.goto(site.url("/next"))
    count = len(page.sent)
    held = track(page, "Contact")
    page.wait_for_load_state("networkidle")
    assert len(page.sent) == count
    page.evaluate("MetaTracking.consent('granted')")
    assert from_server(relay, held)["user_data"]["fbp"]
    assert from_server(relay, held)["data_processing_options"] == ["LDU"], "the opt-out stands beside the yes"


def test_only_grant_lifts_a_revoke(page, relay, site):
    page.goto(site.url())
    page.evaluate("fbq('consent', 'revoke')")
    held = track(page, "Lead")
    odd = "['granted', 'Grant', 'default', '', undefined, null, true, {}, ['grant'], Symbol()]"
    page.evaluate(f"{odd}.forEach(word => fbq('consent', word)); fbq('consent'); 0")
    page.wait_for_load_state("networkidle")
    assert page.sent == []
    page.evaluate("fbq('consent', 'grant')")
    from_server(relay, held)
