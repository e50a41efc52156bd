"""Pixels as pages really have them: Meta's own snippet to the letter, its tag manager template, wrappers, odd calls."""

import pytest

from tests.browser.shop import HERE, META, ONE, OURS

pytestmark = pytest.mark.xdist_group("browser")
LOAD = f"t.async=!0;t.src=v;t.dataset.endpoint='{META}';"
METAS = f"""<script>!function(f,b,e,v,n,t,s)
{{if(f.fbq)return;n=f.fbq=function(){{n.callMethod?
n.callMethod.apply(n,arguments):n.queue.push(arguments)}};
if(!f._fbq)f._fbq=n;n.push=n;n.loaded=!0;n.version='2.0';
n.queue=[];t=b.createElement(e);{LOAD}s=b.getElementsByTagName(e)[0];
s.parentNode.insertBefore(t,s)}}(window, document,'script',
'/fbevents.js');</script>"""
"""https://developers.facebook.com/docs/meta-pixel/get-started: the function stands there before it has a queue."""
TEMPLATES = f"""<script>
window.fbq = function () {{
  const method = window.fbq.callMethod;
  if (method) method.apply(null, arguments); else window.fbq.queue.push(arguments);
}};
window._fbq = window.fbq; window.fbq.queue = window.fbq.queue || [];
{{ const t = document.createElement("script"), v = "/fbevents.js"; {LOAD} document.head.append(t); }}
</script>"""
"""As Meta's template for Google Tag Manager puts it there."""
PLAIN = OURS.replace("data-mirror", "").replace("/meta-tracking.js", "/plain.js")


@pytest.mark.parametrize("snippet", [METAS, TEMPLATES], ids=["Meta's snippet", "Meta's template"])
@pytest.mark.parametrize("ours", [OURS, PLAIN], ids=["mirror", "plain"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_pixel_says_nothing_before_consent_and_all_of_it_afterwards(shop, snippet, ours, is_first):
    ours = ours.format('data-consent="required"')
    shop.head, shop.pixel_comes_last = ours + snippet if is_first else snippet + ours, not is_first
    shop.open()
    shop.call(["track", "Lead"])
    shop.page.wait_for_function("!!fbq.callMethod")
    shop.page.wait_for_load_state("networkidle")
    assert (shop.posts, shop.images, shop.context.cookies()) == ([], [], [])
    shop.page.evaluate("MetaTracking.consent('granted')")
    shop.wait(2 if "mirror" in ours else 0, 2)
    assert [name for name, _ in shop.pixel_ids()] == ["Lead", "PageView"]
    assert shop.ids() == (shop.pixel_ids() if "mirror" in ours else [])


def test_the_pixels_other_names_are_no_way_around(shop):
    shop.head = OURS.format("") + METAS
    shop.open()
    shop.page.evaluate("fbq.push('track', 'Lead'); _fbq('track', 'Contact'); _fbq.push('track', 'Search')")
    shop.wait(4, 4)
    assert shop.ids() == shop.pixel_ids()
    shop.page.evaluate("MetaTracking.consent('denied'); fbq.push('track', 'Lead'); _fbq('track', 'Lead')")
    shop.page.evaluate("MetaTracking.consent('granted'); fbq('trackCustom', 'Last')")
    shop.wait(5, 5)
    assert len(shop.pixel_ids()) == 5 and shop.ids() == shop.pixel_ids()


DECLARED = f"""<script>
function fbq() {{ fbq.callMethod ? fbq.callMethod.apply(fbq, arguments) : fbq.queue.push(arguments) }}
window._fbq = fbq; fbq.push = fbq; fbq.loaded = true; fbq.version = "2.0"; fbq.queue = [];
{{ const t = document.createElement("script"), v = "/fbevents.js"; {LOAD} document.head.append(t); }}
</script>"""
"""A declared function takes the place of what watches the name, and no setter hears of it."""


@pytest.mark.parametrize("ours", [OURS, PLAIN], ids=["mirror", "plain"])
def test_a_pixel_that_is_a_declared_function_is_found_at_the_next_look(shop, ours):
    shop.head, shop.pixel_comes_last = ours.format('data-consent="required"') + DECLARED, True
    shop.base += "MetaTracking.track('Search')"
    shop.open()
    shop.page.wait_for_function("!!fbq.callMethod")
    shop.call(["track", "Lead"])
    shop.page.wait_for_load_state("networkidle")
    assert (shop.posts, shop.images, shop.context.cookies()) == ([], [], [])
    shop.page.evaluate("MetaTracking.consent('granted')")
    shop.wait(3 if ours == OURS else 1, 3)
    assert [name for name, _ in shop.pixel_ids()] == ["Lead", "PageView", "Search"]
    assert set(shop.ids()) <= set(shop.pixel_ids())


ODD = """
const circle = {value: 2}, element = document.querySelector('p'), shared = {value: 5}
circle.self = circle
element.__react = {element}
fbq('track', 'Odd1', {value: undefined, nothing: null, work() {}, day: new Date(0)})
fbq('track', 'Odd2', {value: 10n, content_name: 'left'})
fbq('track', 'Odd3', 'text')
fbq('track', 'Odd4', [1, 2])
fbq('track', 'Odd5', null, {eventID: 9})
fbq('track', 'Odd6', {}, {eventID: {}})
fbq('track', 'Odd7', {}, 'text')
fbq('track', 'Odd8', shared)
shared.value = 6
fbq('track', 'Odd9', Object.create(null), {eventID: ''})
for (const data of [circle, {element}, {get value() { throw 1 }}]) try { fbq('track', 'Bad', data) } catch {}
for (const name of [undefined, null, {}, Symbol(), ['track', 'Lead']]) try { fbq('track', name) } catch {}
try { fbq(Symbol()) } catch {}
shared.value = 7
"""


def test_odd_members_cost_no_other_and_the_pixels_errors_stay_its_own(shop):
    shop.base += "const me = {em: 'joe@example.com'}; me.self = me; fbq('init', '77', me);"
    shop.open()
    shop.page.evaluate(ODD + ";0")
    shop.wait(20, 20)
    ours = sorted({(name, i) for name, i in shop.ids() if name[:3] == "Odd"})
    assert ours == sorted({(query["ev"], query["eid"]) for query in shop.pixel() if "Odd" in str(query["ev"])})
    assert [name for name, _ in ours] == [f"Odd{n}" for n in range(1, 10)]
    assert len({i for _, i in ours}) == 9 and ("Odd5", "9") in ours
    data = {event["event_name"]: event["custom_data"] for event in shop.events()}
    assert data["Odd1"] == {"nothing": None, "day": "1970-01-01T00:00:00.000Z"} and data["Odd8"] == {"value": 5}
    assert data["Odd2"] == {"content_name": "left"} and data["Odd3"] == data["Odd4"] == {}
    assert {"joe@example.com", "Joe@Example.com "} == {event["user_data"]["em"] for event in shop.events()}


def test_a_wrapper_around_the_pixel_is_no_second_pixel(shop):
    """As other tools listen: each call once, under one id, and no call that goes round and round."""
    shop.head = OURS.format("") + METAS.replace("t.src=v;", "")
    shop.open()
    shop.page.evaluate("for (const name of ['a', 'b']) { const was = fbq; fbq = function () { was(...arguments) } }")
    shop.call(["track", "Lead"])
    shop.wait(2, 0)
    queued = shop.page.evaluate("[..._fbq.queue].filter(call => call[1] === 'Lead').map(call => call[3].eventID)")
    assert [i for name, i in shop.ids() if name == "Lead"] == queued and len(queued) == 1


COPIES = "Object.assign(fbq = function () { heard.push(arguments[1]); return was.apply(this, arguments) }, was);"


@pytest.mark.parametrize("attributes", ["", "data-consent=required"], ids=["optional", "required"])
def test_a_wrapper_with_the_pixels_members_hears_no_call_again_and_loses_none(shop, attributes):
    """Put there before the pixel's own script came, when the queue holds what the page said, and our revoke."""
    shop.head, shop.pixel_comes_last = OURS.format(attributes) + METAS, True
    shop.base += f"fbq('track', 'Lead'); var heard = [], was = fbq; {COPIES} fbq('track', 'Contact');"
    shop.base += "MetaTracking.consent('granted');"
    shop.open()
    shop.wait(3, 3)
    names = [name for name, _ in shop.pixel_ids()]
    assert shop.ids() == shop.pixel_ids() and names == ["Contact", "Lead", "PageView"]
    heard = shop.page.evaluate("heard")  # what waited for consent is said once it is there
    assert heard == (["PageView", "Lead", "Contact"] if attributes else ["Contact"])


def test_a_pixel_that_fails_says_nothing_into_the_page(shop):
    """We tell it more than the page does: here, that an opt-out stands."""
    shop.head = (
        "<script>Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})</script>" + OURS.format("")
    )
    shop.base = "fbq = () => { throw Error('theirs') }"
    shop.open()
    shop.page.evaluate("MetaTracking.track('Lead'); MetaTracking.consent('granted'); dispatchEvent(new Event('load'))")
    shop.wait(1, 0)
    shop.page.evaluate("new Promise((done) => setTimeout(done))")
    assert shop.said == [] and "Error: theirs" in shop.page.evaluate("MetaTracking.debug")


def test_an_event_for_a_pixel_that_the_page_does_not_have_goes_nowhere(shop):
    shop.open()
    shop.call(["trackSingle", "999", "Lead"], ["trackSingle", ONE, "Contact"])
    shop.wait(2, 2)
    assert shop.ids() == shop.pixel_ids() and [name for name, _ in shop.ids()] == ["Contact", "PageView"]
    shop.said = [line for line in shop.said if "no pixel 999" not in line]


def test_a_consent_platform_that_comes_late_is_heard(shop):
    shop.head = OURS.format('data-consent="required"') + METAS
    shop.open()
    shop.page.evaluate("""window.__tcfapi = (_, version, heard) => heard({gdprApplies: true, eventStatus: 'tcloaded',
        addtlConsent: '2~89~dv.', purpose: {consents: {1: true, 3: true, 4: true, 7: true}}}, true); 0""")
    shop.wait(1, 1)
    assert shop.ids() == shop.pixel_ids() and len(shop.ids()) == 1


def test_a_consent_platform_that_nobody_brings_is_looked_for_ever_more_rarely_and_not_for_ever(shop):
    shop.head = OURS.format('data-consent="required"') + METAS
    shop.page.clock.install()
    shop.open()
    shop.page.evaluate("window.looks = 0; Object.defineProperty(window, '__tcfapi', {get() { looks += 1 }}); 0")
    counts = []
    for seconds in (60, 60, 120, 3_600):
        shop.page.evaluate("looks = 0")
        shop.page.clock.run_for(seconds * 1_000)
        counts.append(shop.page.evaluate("looks"))
    assert 3 < counts[0] < 12 and 0 < counts[1] <= 4 and counts[2] <= 4 and counts[3] == 0, counts
    shop.call(["track", "Lead"])
    shop.page.clock.run_for(4_000)
    assert shop.page.evaluate("looks") > 1, "an event that is held begins anew"


def test_what_consent_releases_to_the_pixel_carries_the_click_of_an_address_that_was_cleaned(shop):
    clean = "<script>history.replaceState({}, '', '/clean')</script>"
    shop.head = clean + OURS.format('data-consent="required"') + METAS
    shop.open("/?fbclid=IwAR-x_Y")
    shop.page.wait_for_function("!!fbq.callMethod")
    shop.page.evaluate("MetaTracking.consent('granted')")
    shop.wait(1, 1)
    ((query,), (event,)) = shop.pixel(), shop.events()
    assert (query["fbp"], query["fbc"]) == (event["user_data"]["fbp"], event["user_data"]["fbc"])
    assert query["fbc"].endswith(".IwAR-x_Y")


def test_a_page_that_asks_while_it_loads_has_the_ids_at_once(shop):
    shop.base += "window.early = MetaTracking.visitor()"
    shop.open("/?fbclid=IwAR-x_Y")
    shop.wait(1, 1)
    early, (event,) = shop.page.evaluate("early"), shop.events()
    assert event["user_data"].items() >= {"fbp": early["fbp"], "fbc": early["fbc"]}.items()
    assert sorted(cookie["value"] for cookie in shop.context.cookies()) == sorted([early["fbp"], early["fbc"]])


@pytest.mark.parametrize("pages", ["", "data-auto-page-views"])
def test_neither_cookies_nor_storage_are_looked_at_while_it_loads(shop, pages):
    """They wait for other processes of the browser, and the page with them."""
    watch = """<script>window.early = window.looks = 0; {
        const jar = Object.getOwnPropertyDescriptor(Document.prototype, 'cookie');
        const look = (found) => {
            looks += 1;
            early += /meta-tracking|plain/.test(document.currentScript?.src);
            return found();
        };
        Object.defineProperty(document, 'cookie', {get: () => look(() => jar.get.call(document)),
            set: (text) => look(() => jar.set.call(document, text))});
        const {localStorage: kept, sessionStorage: short} = window;
        Object.defineProperty(window, 'localStorage', {get: () => look(() => kept)});
        Object.defineProperty(window, 'sessionStorage', {get: () => look(() => short)});
    }</script>"""
    shop.head = watch + (PLAIN if pages else OURS).format(pages) + METAS
    shop.base = f"fbq('init', '{ONE}');" + ("" if pages else "fbq('track', 'PageView')")
    shop.open("/?fbclid=IwAR-x_Y")
    shop.wait(1, 1)
    assert shop.page.evaluate("early") == 0 and shop.page.evaluate("looks") > 0


def test_an_opt_out_hides_no_id_that_is_there_and_makes_none(shop):
    shop.page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})")
    shop.context.add_cookies([{"name": "_fbp", "value": "fb.1.1596403881668.1116446470", "url": HERE}])
    shop.head = OURS.format("")
    shop.base = "MetaTracking.track('Lead')"
    shop.open("/?fbclid=IwAR-x_Y")
    shop.page.wait_for_load_state("networkidle")
    (event,) = shop.events()
    assert event["user_data"] == {"fbp": "fb.1.1596403881668.1116446470"}
    assert [cookie["name"] for cookie in shop.context.cookies()] == ["_fbp"]
