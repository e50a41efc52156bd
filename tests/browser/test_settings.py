"""Settings as people write them, managers that answer in words of their own, and signals that are there by halves."""

import pytest

from tests.browser.shop import BASE, COLLECTOR, FILES, ONE, OURS, SNIPPET
from tests.browser.site import ROOT
from tests.browser.test_signals import (
    LATER,
    PLAIN,
    PLAY,
    Signals,
    assert_each_leads_where_it_says,
    gtag,
    says_gpp,
    tcf,
    tells_gpp,
    tells_tcf,
)
from tests.processes import until

pytestmark = pytest.mark.xdist_group("browser")
SHOPIFY = "Shopify.customerPrivacy.currentVisitorConsent().marketing"
DENIES = gtag("default", "{ad_storage: 'denied', ad_user_data: 'denied'}")


def shopify(answer: str) -> str:
    return f"Shopify = {{customerPrivacy: {{currentVisitorConsent: () => ({{marketing: '{answer}'}})}}}}"


def manager(state: str, answered: str = "M.done", **more: str) -> dict[str, str]:
    return {"consentState": state, "consentAnswered": answered, "consent": "required", **more}


SIGNALS: Signals = {
    # Whoever asks for consent in other words does not go without it.
    **{f"consent={odd!r}": ({"consent": odd}, "", "", "held") for odd in ("", "Required", "true", "1", " required ")},
    "consent=' Optional'": ({"consent": " Optional"}, "", "", "open"),
    "consent: true": ({}, "", "MetaTracking.configure({consent: true});" + LATER, "held"),
    "another data layer, by a program": (
        {},
        DENIES.replace("dataLayer", "mine"),
        "MetaTracking.configure({dataLayer: 'mine'});" + LATER,
        "held",
    ),
    # A manager's names as they stand in a program; the event alone is heard.
    **{
        f"events {names!r}": (
            manager("M.yes", consentEvent=names),
            "M = {}",
            "M = {yes: false, done: true}; dispatchEvent(new Event('declined'))",
            "denied",
        )
        for names in ("accepted, declined", "accepted declined", "accepted,\n  declined")
    },
    **{
        f"state {state!r}": (manager(state), "M = {done: true, has: (x) => x === 'ads', ads: 1}", LATER, "granted")
        for state in ("M.has(ads)", "M.has('ads')", 'M.has("ads")', " M.ads ", "window.M.ads")
    },
    # A manager that is reset asks again: its yes does not stand, its no does.
    **{
        f"a manager that is reset after a {word}": (
            manager("M.yes"), f"M = {{yes: {yes}, done: true}}", "M.done = false;" + LATER, state
        )
        for word, yes, state in (("yes", "true", "held"), ("no", "false", "denied"))
    },
    "a text of JSON": (
        manager('localStorage.answer.includes("ads":true)', "localStorage.answer.includes(ads)"),
        "localStorage.answer = JSON.stringify({ads: true})",
        LATER,
        "granted",
    ),
    **{
        f"Shopify: {answer!r}": (manager(SHOPIFY, SHOPIFY), shopify(answer), LATER, state)
        for answer, state in (("yes", "granted"), ("no", "denied"), ("", "held"))
    },
    # What is there by halves.
    "tcf: shown, and nobody agreed to": ({}, tells_tcf(tcf(addtlConsent="2~dv.70.89")), "", "denied"),
    "tcf: number 189": ({}, tells_tcf(tcf(addtlConsent="2~189.890~dv.")), "", "held"),
    "tcf: a yes, then what cannot be read": (
        {},
        f"__tcfapi = (verb, version, heard) => {{ answer = heard; heard({tcf()}, true) }}",
        f"answer({tcf(eventStatus='useractioncomplete', purpose=None)}, true)",
        "held",
    ),
    "gpp: the section that applies is not there": ({}, says_gpp("[{SaleOptOut: 2}]", "usca"), "", "held"),
    "gpp: no sections": ({}, tells_gpp("{signalStatus: 'ready', applicableSections: [7]}"), "", "held"),
    "gpp: one of two is there": ({}, says_gpp("[{SaleOptOut: 2}]", applies="[7, 8]"), "", "open"),
    "gpp: none applies": ({}, tells_gpp("{signalStatus: 'ready', applicableSections: [-1]}"), "", "open"),
}  # fmt: skip


def test_each_leads_where_the_table_says(shop):
    assert_each_leads_where_it_says(shop, SIGNALS)


KLARO = """klaro = {getManager: () => manager_}; manager_ = {
    consents: {meta: false}, confirmed: false, told: [],
    watch(one) { this.told.push(one) },
    tell(what) { this.told.forEach((one) => one.update(this, what, {})) },
    updateConsent(name, value) { this.consents[name] = value; this.tell('consents') },
    saveConsents() { this.confirmed = true; this.tell('saveConsents') },
};"""
"""As Klaro 0.7.22 does: a switch changes `consents` at once, and is an answer once it is saved."""


def test_a_switch_of_klaro_that_is_not_saved_is_no_answer(shop):
    text = (ROOT / "docs/browser.md").read_text().partition("// Klaro")[2].partition("```")[0].partition("\n")[2]
    shop.head, shop.base = PLAIN.format('data-consent="required"'), KLARO + text
    shop.open()
    steps = ["saveConsents()", "updateConsent('meta', true)", "saveConsents()", "updateConsent('meta', false)"]
    said = [
        shop.page.evaluate(f"manager_.{step}, !!MetaTracking.track('Lead', {{n: {n}}})") for n, step in enumerate(steps)
    ]
    assert said == [False, False, True, True]


USERCENTRICS = """details_ = {consent: {type: 'IMPLICIT'}, services: {ID: {consent: {given: false}}}};
__ucCmp = {
    isInitialized: async () => true,
    getConsentDetails: async () => details_,
    async say(type, given) {
        details_ = {consent: {type}, services: {ID: {consent: {given}}}};
        dispatchEvent(new CustomEvent('UC_CONSENT', {detail: details_}));
    },
};"""
"""As Usercentrics 3 does: `UC_CONSENT` is said when the consent changes, by a button or by a program."""


@pytest.mark.parametrize(("kind", "answer"), [("EXPLICIT", "granted"), ("IMPLICIT", "held")])
def test_what_usercentrics_knew_before_our_lines_ran_and_what_a_program_tells_it_are_heard(shop, kind, answer):
    text = (ROOT / "docs/browser.md").read_text().partition("// Usercentrics")[2].partition("// Klaro")[0]
    before = f"__ucCmp.say('{kind}', true);"
    shop.head = PLAIN.format('data-consent="required"')
    shop.base = USERCENTRICS + before + text.partition("\n")[2]
    shop.open()
    until(lambda: f"consent {answer}" in shop.page.evaluate("MetaTracking.debug"))
    shop.page.evaluate("__ucCmp.say('EXPLICIT', false)")
    until(lambda: "consent denied" in shop.page.evaluate("MetaTracking.debug"))


@pytest.mark.parametrize(
    ("platform", "state"),
    [
        (tells_tcf(tcf(eventStatus="cmpuishown")), "held"),
        (tells_tcf(tcf(addtlConsent="2~~dv.89")), "denied"),
        (DENIES, "held"),
    ],
)
def test_a_frame_without_an_address_asks_the_platform_of_the_page_that_made_it(shop, platform, state):
    shop.head, shop.base = "", platform
    shop.open()
    found = shop.page.evaluate(PLAY, [FILES["plain.js"].read_text(), {"frame": [{}, "", LATER]}])
    assert found == {"frame": state}


@pytest.mark.parametrize("value", ["1", "yes", "TRUE", "data-mirror", "mirror"])
def test_an_attribute_that_is_there_is_on(shop, value):
    shop.head = OURS.replace("data-mirror", f'data-mirror="{value}"').format("") + SNIPPET
    shop.open()
    shop.wait(1, 1)
    assert shop.ids() == shop.pixel_ids()


@pytest.mark.parametrize("value", ["false", "0", "no", "Off"])
def test_an_attribute_that_says_no_is_off(shop, value):
    shop.head = (
        OURS.replace("data-mirror", f'data-mirror="{value}" data-auto-page-views="{value}"').format("") + SNIPPET
    )
    shop.open()
    shop.wait(0, 1)
    shop.page.wait_for_load_state("networkidle")
    assert shop.posts == []


def test_what_lies_beside_an_endpoint_without_a_path_is_no_other_host(shop):
    shop.head, shop.base = PLAIN.format("").replace(COLLECTOR, "http://relay.example"), ""
    shop.open()
    with shop.page.expect_request("http://relay.example/"):
        shop.page.evaluate("MetaTracking.rememberVisitor('1001')")
    shop.page.evaluate("MetaTracking.configure({endpoint: '/m/events'})")
    assert shop.page.evaluate("MetaTracking.viewContentEndpoint") == "/m/view-content"
    with shop.page.expect_request("**/m/visitors"):
        shop.page.evaluate("MetaTracking.rememberVisitor('1002')")
    with shop.page.expect_request("**/m/view-content"):
        shop.page.evaluate("MetaTracking.sendViewContentEvent({contentName: 'Kintsugi'})")
    shop.page.evaluate("MetaTracking.viewContentEndpoint = '/api/view-content'")
    with shop.page.expect_request("**/api/view-content"):
        shop.page.evaluate("MetaTracking.sendViewContentEvent({contentName: 'Raku'})")


def test_one_id_for_several_events_of_a_page_is_one_of_each(shop):
    """As a server writes it into the page: Meta tells two events apart by name and id."""
    shop.head, shop.base = PLAIN.format("") + SNIPPET, f"fbq('init', '{ONE}')"
    shop.open()
    twice = ["Lead", "Search", "Lead", "Search"]
    shop.page.evaluate("names => names.forEach((name) => MetaTracking.track(name, {}, {eventId: 'request-1'}))", twice)
    shop.wait(2, 2)
    assert shop.ids() == shop.pixel_ids() == [("Lead", "request-1"), ("Search", "request-1")]
    shop.page.evaluate("MetaTracking.consent('denied')")
    shop.page.wait_for_load_state("networkidle")
    assert set(shop.posts[-1]["body"]["event_ids"]) == {"request-1"}


def test_what_an_earlier_version_sent_once_is_not_sent_again(shop):
    shop.head, shop.base = '<script>localStorage._mt = \'{"q":[],"s":["p-1"]}\'</script>' + PLAIN.format(""), ""
    shop.open()
    assert shop.page.evaluate("MetaTracking.trackOnce('p-1', 'Lead')") is None
    shop.page.wait_for_load_state("networkidle")
    assert shop.posts == []


@pytest.mark.parametrize("odd", ["{}", "Promise.resolve('a')", "() => 'a'", "true"])
def test_what_is_no_id_is_not_the_id_of_all_visitors(shop, odd):
    shop.head, shop.base = PLAIN.format("") + SNIPPET, BASE
    shop.open()
    shop.page.evaluate(f"[1, 2].forEach((n) => MetaTracking.track('Lead', {{n}}, {{eventId: {odd}}}))")
    shop.wait(2, 3)
    ids = {event_id for _, event_id in shop.ids()}
    assert len(ids) == 2 and all(len(event_id) == 36 for event_id in ids)


@pytest.mark.parametrize("is_on", [True, False])
def test_a_collector_of_a_subdomain_sees_and_sets_cookies_where_the_tag_says_so(tab, stage, is_on):
    """A script's request to another origin has none by itself, and what its answer sets is dropped."""
    stage.collector, stage.attributes = "relay.shop.example", 'data-credentials="include"' if is_on else ""
    tab.goto(stage.url())
    tab.evaluate("MetaTracking.track('Lead')")
    (post,) = until(lambda: stage.posts, 20)
    assert ("_fbp=" in post.headers.get("Cookie", "")) == is_on
    tab.wait_for_function("JSON.parse(localStorage._mt).q.length === 0")
