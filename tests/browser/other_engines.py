"""The page's script in engines that are not Chromium's: Firefox, and WebKit as GTK's MiniBrowser has it.

    make browsers

Nobody drives these browsers: a page acts by itself and posts what it saw (`/result`). Every name leads to the stage,
which is their proxy. Not collected by `make test`: both browsers are 500 MB of packages.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.stage import PIXEL, Stage
from tests.browser.test_states import complaints
from tests.browser.visitors import cases
from tests.processes import until

CLICK = "IwAR0xY-z_1AbCdEfGhIjKlMnOpQrStUvWxYz"
PREFERENCES = {
    "network.proxy.type": 1,
    "network.proxy.no_proxies_on": "",
    "dom.security.https_first": False,  # the stage has no certificate
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}


def firefox(stage: Stage, folder: Path, **preferences: object) -> list[str]:
    proxy = {f"network.proxy.{kind}": "127.0.0.1" for kind in ("http", "ssl")}
    proxy |= {f"network.proxy.{kind}_port": stage.port for kind in ("http", "ssl")}
    lines = [f"user_pref({json.dumps(n)}, {json.dumps(v)});" for n, v in (PREFERENCES | proxy | preferences).items()]
    (folder / "user.js").write_text("\n".join(lines))
    return [found("firefox-esr", "firefox"), "--headless", "--no-remote", "--profile", str(folder)]


def webkit(stage: Stage, folder: Path) -> list[str]:
    places = sorted(str(path) for path in Path("/usr").glob("lib*/**/webkit2gtk-4*/MiniBrowser"))
    browser = places[-1] if places else found("MiniBrowser")
    # With the protection that Safari has, as far as it is in WebKit itself.
    options = ["--enable-itp", "--private", f"--proxy=http://127.0.0.1:{stage.port}"]
    return [found("xvfb-run"), "--auto-servernum", "env", f"HOME={folder}", browser, *options]


def found(*names: str) -> str:
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, f"`make browsers` installs what is missing here: {' or '.join(names)}"
    return path


ENGINES = {"firefox": firefox, "webkit": webkit}


@pytest.fixture(params=ENGINES)
def engine(request) -> str:
    return request.param


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@contextmanager
def opened(engine: str, stage: Stage, path: str = "/", **more: object) -> Iterator[None]:
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [*ENGINES[engine](stage, Path(folder), **more), stage.url(path)]
        with (Path(folder) / "said").open("wb") as said:
            browser = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
            try:
                yield
            finally:
                # Not by `kill -- -PID`: that of procps 4.0.7 does not know it, and the browser stayed.
                with suppress(ProcessLookupError):
                    os.killpg(browser.pid, signal.SIGTERM)
                browser.wait(60)


def acts(stage: Stage, script: str) -> None:
    """What the page does by itself, once it is loaded; behind everything else."""
    stage.scripts["/act.js"] = (
        "const tell = (what) => fetch('/result', {method: 'POST', body: JSON.stringify({what})});"
        f"addEventListener('load', () => setTimeout(async () => {{ try {{ {script} }}"
        " catch (error) { tell({error: String(error)}) } }));"
    )
    stage.more += '<script src="/act.js"></script>'


def result(stage: Stage, seconds: float = 60.0) -> object:
    def told() -> list[dict]:
        return [post.body for post in list(stage.posts) if post.path == "/result"]

    (first, *_) = until(told, seconds)
    return first["what"]


@pytest.mark.parametrize("script", ["/meta-tracking.js", "/mirror.js"])
def test_a_click_is_kept_letter_by_letter_when_consent_comes_on_the_next_page(engine, stage, script):
    """Firefox cuts the referrer of a page to which a click came."""
    stage.attributes, stage.script = 'data-consent="required"', script
    acts(
        stage,
        "if (location.pathname === '/') { document.getElementById('on').click(); return }"
        "const before = document.cookie; MetaTracking.consent('granted'); MetaTracking.track('Lead');"
        "tell({before, after: document.cookie, debug: MetaTracking.debug})",
    )
    with opened(engine, stage, f"/?fbclid={CLICK}&utm_source=fb"):
        told = result(stage)
        (event,) = until(lambda: stage.events("Lead"), 20)
    assert told["before"] == ""
    fbc = event["user_data"]["fbc"]
    assert fbc.split(".", 3)[3] == CLICK and f"_fbc={fbc}" in told["after"]
    assert not [line for line in told["debug"] if "Error" in line]


def test_ten_calls_of_a_page_have_the_same_ten_ids_on_both_sides_and_none_twice(engine, stage):
    stage.attributes, stage.script = "data-mirror", "/mirror.js"
    stage.scripts["/init.js"] = f"""
        fbq('init', '{PIXEL}', {{em: 'Joe@Example.com '}}); fbq('track', 'PageView');
        fbq('track', 'ViewContent', {{content_ids: ['kintsugi'], value: 49, currency: 'EUR'}});
        fbq('track', 'AddToCart', {{value: 49, currency: 'EUR'}}, {{eventID: 'cart-1'}});
        fbq('trackCustom', 'Favourite', {{course: 'kintsugi'}});"""
    acts(
        stage,
        f"fbq('trackSingle', '{PIXEL}', 'Lead');"
        f"fbq('trackSingleCustom', '{PIXEL}', 'Scrolled', {{}}, {{eventID: 's-1'}});"
        "fbq('track', 'Search', {search_string: 'gold'}); fbq('track', 'Contact');"
        "fbq('trackCustom', 'Twice'); fbq('trackCustom', 'Twice');",
    )
    with opened(engine, stage):
        until(lambda: len(stage.events()) >= 10 and len(stage.images) >= 10)
    ours = [(event["event_name"], event["event_id"]) for event in stage.events()]
    assert sorted(ours) == sorted((image["ev"], image["eid"]) for image in stage.images)
    assert len(set(ours)) == len(ours) == 10
    assert all(event["user_data"]["em"] == "Joe@Example.com " for event in stage.events())


def test_pages_of_a_router_count_once_on_both_sides(engine, stage):
    stage.attributes = "data-auto-page-views"
    acts(stage, "for (const page of ['/a', '/b', '/a']) history.pushState({}, '', page); tell(1)")
    with opened(engine, stage):
        result(stage)
        stage.both("PageView", 4)


def test_an_event_that_the_collector_could_not_take_is_sent_by_the_page_after(engine, stage):
    stage.status = 503
    acts(
        stage,
        "if (location.pathname === '/next') return;"
        "MetaTracking.track('Lead'); await fetch('/cue'); document.getElementById('on').click()",
    )
    with opened(engine, stage):
        until(lambda: stage.events("Lead"))
        stage.status = 202
        stage.cue.set()
        until(lambda: len(stage.events("Lead")) > 1)
    assert len({event["event_id"] for event in stage.events("Lead")}) == 1


def test_a_link_to_a_checkout_takes_the_reference_along(engine, stage):
    stage.more = f'<a id=pay href="{stage.url("/pay?a=b", "seller.gumroad.com")}">pay</a>'
    acts(stage, "if (location.pathname === '/') document.getElementById('pay').click()")
    with opened(engine, stage, f"/?fbclid={CLICK}"):
        (paid,) = until(lambda: [path for path in stage.opened if "/pay" in path])
        (visit,) = until(lambda: [post.body for post in list(stage.posts) if post.path == "/visitors"])
    assert parse_qs(urlsplit(paid).query) == {"a": ["b"], "client_reference_id": [visit["key"]]}
    assert visit["fbc"].endswith(f".{CLICK}")


def test_firefoxs_own_opt_out_limits_both_copies(stage):
    acts(stage, "tell([navigator.globalPrivacyControl, MetaTracking.track('Lead')])")
    preferences = {
        "privacy.globalprivacycontrol.enabled": True,
        "privacy.globalprivacycontrol.functionality.enabled": True,
    }
    with opened("firefox", stage, **preferences):
        has_gpc, _ = result(stage)
        (event,) = stage.both("Lead", 1)
    assert has_gpc and event["gpc"] is True
    assert [image["dpo"] for image in stage.images if image["ev"] == "Lead"] == ["LDU"]


def test_signals_in_any_order_lead_where_the_table_says(engine, stage):
    """As `test_states.py` in Chromium: every signal alone on each page, pairs, and longer ones."""
    some = list(cases(Random(20), 200, 200))
    here = Path(__file__).parent
    stage.head = "<!-- no script of ours -->"
    stage.scripts["/visitors.js"] = (here / "visitors.js").read_text()
    stage.scripts["/cases.js"] = f"window.cases = {json.dumps(json.dumps([one.page() for one in some]))}"
    stage.more = '<script src="/visitors.js"></script><script src="/cases.js"></script>'
    acts(
        stage,
        "const text = async (path) => (await fetch(path)).text();"
        "window.texts = {snippet: await text('/snippet.js'), pixel: await text('/fbevents.js'),"
        " script: await text('/meta-tracking.js')};"
        "tell(JSON.parse(await play(window.cases)))",
    )
    with opened(engine, stage):
        ended = result(stage, 300)
    assert isinstance(ended, list), ended
    wrong = [complaint for case, found in zip(some, ended, strict=True) for complaint in complaints(case, found)]
    assert not wrong, f"{len(wrong)} in {len(some)}\n" + "\n".join(wrong[:3])
