"""What others say of a visitor, as it really comes: late, by halves, in other shapes, or with an error."""

import json

import pytest

from tests.browser.shop import FILES, ONE, OURS, SNIPPET

pytestmark = pytest.mark.xdist_group("browser")
REQUIRED, MANAGER = {"consent": "required"}, {"consentState": "M.yes", "consentAnswered": "M.done"}
PLAIN = OURS.replace("data-mirror", "").replace("/meta-tracking.js", "/plain.js")
BOTH = "({{ad_storage: {0}, ad_user_data: {0}}})"


def tcf(**other: object) -> str:
    purpose = {"consents": dict.fromkeys("1347", True)}
    return json.dumps(
        {"gdprApplies": True, "eventStatus": "tcloaded", "purpose": purpose, "addtlConsent": "2~89~dv."} | other
    )


def tells_tcf(data: str, sound: str = "true") -> str:
    return f"__tcfapi = (verb, version, heard) => heard({data}, {sound})"


def tells_gpp(ping: str) -> str:
    return f"__gpp = (verb, heard) => heard({{eventName: 'signalStatus', pingData: {ping}}}, true)"


def says_gpp(section: str, name: str = "usnat", applies: str = "[7]") -> str:
    return tells_gpp(
        f"{{signalStatus: 'ready', applicableSections: {applies}, parsedSections: {{'{name}': {section}}}}}"
    )


def tells_usp(text: str) -> str:
    return f"__uspapi = (verb, version, heard) => heard({{version: 1, uspString: {text}}}, true)"


def has_ics(default: str = "undefined", update: str = "undefined", more: str = "") -> str:
    one = f"{{default: {default}, update: {update} {more}}}"
    return f"google_tag_data = {{ics: {{entries: {{ad_storage: {one}, ad_user_data: {one}}}, addListener() {{}}}}}}"


def gtag(verb: str, values: str) -> str:
    return f"(window.dataLayer = window.dataLayer || []).push(['consent', '{verb}', {values}])"


REGION = gtag("default", "{ad_storage: 'denied', ad_user_data: 'denied', region: ['DE']}")
LATER = "MetaTracking.track('Later')"
SAID = "MetaTracking.consent({})"
Signals = dict[str, tuple[dict[str, str], str, str, str]]
"""The script's settings; what runs before it, and after it; the state at the end."""
SIGNALS: Signals = {
    # Only the very word grants.
    **{
        f"consent({odd})": (REQUIRED, "", SAID.format(odd), "denied")
        for odd in ("true", "'yes'", "'Granted'", "undefined", "{}")
    },
    "consent(false)": ({}, "", SAID.format("false"), "denied"),
    **{
        f"update to {odd}": (REQUIRED, "window.dataLayer = []", gtag("update", BOTH.format(odd)), "denied")
        for odd in ("'Denied'", "'no'", "'unknown'", "false", "{}")
    },
    "update to nothing": (REQUIRED, "", gtag("update", BOTH.format("undefined")), "held"),
    "a default of another spelling": ({}, gtag("default", BOTH.format("'Denied'")), "", "held"),
    "a default that is granted": ({}, gtag("default", BOTH.format("'granted'")), "", "open"),
    "defaults of other parameters": (
        {},
        gtag("default", "{analytics_storage: 'denied', wait_for_update: 500}"),
        "",
        "open",
    ),
    # Google's own state.
    "a denial that it alone shows": ({}, has_ics("false"), "", "held"),
    "a denial that it alone shows, of one": (
        {},
        has_ics("true") + "; google_tag_data.ics.entries.ad_user_data.default = false",
        "",
        "held",
    ),
    "a denial that it alone shows, and a yes": ({}, has_ics("false"), SAID.format("'granted'"), "granted"),
    "a region, resolved to granted": ({}, has_ics("true") + ";" + REGION, "", "open"),
    "a region, resolved by a word": ({}, has_ics("'denied'") + ";" + REGION, "", "held"),
    "a region, not yet resolved": ({}, has_ics("true", more=", quiet: true") + ";" + REGION, "", "held"),
    "a region, without entries": ({}, "google_tag_data = {ics: {entries: null}};" + REGION, "", "held"),
    "updates by a word": (REQUIRED, has_ics(update="'granted'"), "", "granted"),
    "updates by a word that denies": ({}, has_ics(update="'denied'"), "", "denied"),
    "updates that lag behind what we heard": (
        REQUIRED,
        has_ics(update="true"),
        gtag("update", BOTH.format("'denied'")) + ";" + LATER,
        "denied",
    ),
    # TCF: purposes by consent, Meta by Google's list.
    "tcf: a legitimate interest": (
        {},
        tells_tcf(tcf(purpose={"consents": {"1": True, "3": True, "4": True}, "legitimateInterests": {"7": True}})),
        "",
        "denied",
    ),
    "tcf: number 89 of IAB's list is not Meta": (
        {},
        tells_tcf(tcf(addtlConsent="2~", vendor={"consents": {"89": True}})),
        "",
        "held",
    ),
    "tcf: a restriction of IAB's number 89": (
        {},
        tells_tcf(tcf(publisher={"restrictions": {"1": {"89": 0}}})),
        "",
        "granted",
    ),
    "tcf: without purposes": ({}, tells_tcf(tcf(purpose=None)), "", "held"),
    "tcf: no status yet": ({}, tells_tcf(tcf(eventStatus=None)), "", "held"),
    "tcf: an error": ({}, tells_tcf(tcf(gdprApplies=False), "false"), "", "held"),
    "tcf: an error without data": ({}, tells_tcf("null", "false"), "", "held"),
    "tcf: not ready at first": (
        {},
        f"n = 0; __tcfapi = (verb, version, heard) => {{ if (!n++) throw Error('early'); heard({tcf()}, true) }}",
        LATER,
        "granted",
    ),
    "tcf: another one in its place": ({}, "__tcfapi = () => 0", tells_tcf(tcf()) + ";" + LATER, "granted"),
    # GPP and USP in other shapes; what cannot be read opens nothing.
    "gpp: no sections that apply": (
        {},
        tells_gpp("{signalStatus: 'ready', parsedSections: {usnat: [{SaleOptOut: 1}]}}"),
        "",
        "held",
    ),
    "gpp: nothing at all": ({}, tells_gpp("null"), "", "held"),
    "gpp: with a version": ({}, says_gpp("[{TargetedAdvertisingOptOut: 1}]", "usnatv1"), "", "optedout"),
    "gpp: numbers as texts": ({}, says_gpp("[{SharingOptOut: '1'}]", "usca", "['8']"), "", "optedout"),
    "gpp: a notice is no opt-out": (
        {},
        says_gpp("[{SaleOptOutNotice: 1, SharingOptOutNotice: 1, SaleOptOut: 2}]"),
        "",
        "open",
    ),
    "gpp: a known child, of either age": ({}, says_gpp("[{KnownChildSensitiveDataConsents: [0, 1]}]"), "", "denied"),
    "gpp: a child that is none": ({}, says_gpp("[{KnownChildSensitiveDataConsents: [0, 0]}]"), "", "open"),
    "gpp: the old string": ({}, says_gpp("'1YYN'", "uspv1", "[6]"), "", "optedout"),
    "gpp: Canada's, which nothing here reads": (
        {},
        says_gpp("{PurposesExpressConsent: [true, true, true, true]}", "tcfcav1", "[5]"),
        "",
        "held",
    ),
    "gpp: a section of later": ({}, says_gpp("[{SaleOptOut: 2}]", "usxx", "[28]"), "", "held"),
    "gpp: none applies": ({}, says_gpp("null", "usnat", "[-1]"), "", "open"),
    "gpp: no section": ({}, says_gpp("null"), "", "held"),
    **{f"usp: {text}": ({}, tells_usp(text), "", "optedout") for text in ("'1YYN'", "'1yyn'", "'1-Y-'", "'1YY'")},
    **{
        f"usp: {text}": ({}, tells_usp(text), "", "open")
        for text in ("'1YNN'", "'1---'", "''", "'1'", "null", "undefined")
    },
    "tcf: a no, and then it does not apply": (
        {},
        tells_tcf(tcf(purpose={"consents": {}})).replace("heard(", "(window.tell = heard)("),
        "tell({gdprApplies: false, eventStatus: 'tcloaded'}, true)",
        "denied",
    ),
    "tcf: a yes, and then it does not apply": (
        {},
        tells_tcf(tcf()).replace("heard(", "(window.tell = heard)("),
        "tell({gdprApplies: false, eventStatus: 'tcloaded'}, true)",
        "open",
    ),
    # What comes later is heard before the next event.
    "late: tcf": ({}, "", tells_tcf(tcf(eventStatus="cmpuishown")) + ";" + LATER, "held"),
    "late: tcf, without an answer": ({}, "", "__tcfapi = () => 0;" + LATER, "held"),
    "late: gpp": ({}, "", says_gpp("[{SharingOptOut: 1}]") + ";" + LATER, "optedout"),
    "late: usp": ({}, "", tells_usp("'1YYN'") + ";" + LATER, "optedout"),
    "late: GPC": (
        {},
        "",
        "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true});" + LATER,
        "optedout",
    ),
    "late: a manager": (MANAGER, "", "M = {yes: false, done: true};" + LATER, "denied"),
    "late: Google's data layer": (
        {},
        "",
        gtag("update", BOTH.format("'denied'")) + ";" + LATER,
        "denied",
    ),
    "late: Google's own state": ({}, "", has_ics(update="false") + ";" + LATER, "denied"),
}
PLAY = """([text, cases]) => Object.fromEntries(Object.entries(cases).map(([name, [settings, before, after]]) => {
    localStorage.clear(); sessionStorage.clear()
    const frame = document.body.appendChild(document.createElement('iframe')), page = frame.contentWindow
    const errors = []
    page.onerror = (error) => errors.push(error)
    const run = (text, data) => {
        const tag = Object.assign(page.document.createElement('script'), {textContent: text})
        Object.assign(tag.dataset, data)
        page.document.body.append(tag)
    }
    run(before)
    run(text, settings)
    run(after)
    const state = page.MetaTracking.debug.findLast((line) => line.startsWith('consent '))
    frame.remove()
    return [name, [...errors, state.slice(8)].join()]
}))"""


def assert_each_leads_where_it_says(shop, signals: Signals) -> None:
    shop.head = shop.base = ""
    shop.open()
    cases = {name: case[:3] for name, case in signals.items()}
    found = shop.page.evaluate(PLAY, [FILES["plain.js"].read_text(), cases])
    assert found == {name: case[3] for name, case in signals.items()}


def test_each_signal_leads_where_the_table_says(shop):
    assert_each_leads_where_it_says(shop, SIGNALS)


HOLDS = "window.__tcfapi = () => {}"
OPTS_OUT = "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})"


@pytest.mark.parametrize(("ours", "call", "n"), [
    (PLAIN, "MetaTracking.track('Lead')", 1),
    (OURS, "fbq('track', 'Lead')", 1),
    (PLAIN, "fbq('track', 'Lead')", 0),
])  # fmt: skip
def test_what_comes_late_reaches_the_pixel_before_the_event(shop, ours, call, n):
    """Nobody clicked, nothing was loaded: the page's next event looks."""
    shop.head, shop.base = ours.format("") + SNIPPET, f"fbq('init', '{ONE}')"
    shop.open()
    shop.page.wait_for_function("!!window.fbevents_sent")
    shop.page.evaluate(f"() => {{ {OPTS_OUT}; {call} }}")
    shop.wait(n, 1)
    assert [query["dpo"] for query in shop.pixel()] == ["LDU"] and [event["gpc"] for event in shop.events()] == [
        True
    ] * n
    shop.page.evaluate(f"() => {{ {HOLDS}; {call.replace('Lead', 'Contact')} }}")
    shop.page.wait_for_load_state("networkidle")
    assert len(shop.pixel()) == 1 and len(shop.events()) == n


def test_an_event_of_a_platform_that_is_just_being_asked_waits_for_its_answer(shop):
    shop.base = f"fbq('init', '{ONE}')"
    shop.open()
    shop.page.wait_for_function("!!window.fbevents_sent")
    answer = f"heard({tcf(eventStatus='cmpuishown')}, true); fbq('track', 'Search')"
    shop.page.evaluate(f"window.__tcfapi = (verb, version, heard) => {{ {answer} }}; fbq('track', 'Lead'); 0")
    shop.page.wait_for_load_state("networkidle")
    assert (shop.pixel(), shop.posts) == ([], [])
    shop.page.evaluate("MetaTracking.consent('granted')")
    shop.wait(2, 2)
    assert shop.ids() == shop.pixel_ids()


@pytest.mark.parametrize("ours", [PLAIN, OURS], ids=["plain", "mirror"])
def test_the_pages_own_restriction_is_on_both_copies_of_what_it_concerns(shop, ours):
    """Also where the visitor's opt-out came and went, and on the copy that goes to /view-content."""
    say = (
        says_gpp("[{SaleOptOut: given}]")
        .replace("heard(", "(window.gpp = (given) => heard(")
        .replace("true)", "true))(2)")
    )
    shop.head, shop.base = f"<script>{say}</script>" + ours.format("") + SNIPPET, f"fbq('init', '{ONE}')"
    shop.open()
    shop.page.evaluate("""() => {
        fbq('dataProcessingOptions', ['LDU'], 1, 1000)
        MetaTracking.track('Lead')
        fbq('dataProcessingOptions', [])
        MetaTracking.track('Contact')
        fbq('dataProcessingOptions', ['LDU'], 1, 1000)
        gpp(1)
        MetaTracking.track('Search')
    }""")
    shop.wait(3, 3)  # the server's policy is known, and the opt-out is the pixel's restriction
    shop.page.evaluate("gpp(2); MetaTracking.sendViewContentEvent({contentName: 'Kintsugi'})")
    shop.wait(3, 4)
    pixel = {query["ev"]: query.get("dpo") for query in shop.pixel()}
    server = {event["event_name"]: event["data_processing_options"] for event in shop.events()}
    (content,) = [post["body"] for post in shop.posts if post["url"].endswith("/view-content")]
    assert pixel == {"Lead": "LDU", "Contact": None, "Search": "LDU", "ViewContent": "LDU"}
    assert server == {"Lead": ["LDU"], "Contact": [], "Search": ["LDU"]}
    assert (content["data_processing_options"], content["data_processing_options_state"]) == (["LDU"], 1000)
