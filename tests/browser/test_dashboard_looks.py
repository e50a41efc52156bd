"""Every page of the dashboard on a wide and on a narrow screen, light and dark, empty, full, in trouble, with thirty
datasets: nothing for axe-core to find, nothing on the console, nothing from elsewhere, no page wider than the screen.

RELAY_TEST_PICTURES=FOLDER keeps a picture of each; RELAY_TEST_ALL_LOOKS=1 tries every combination.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.browser.installations import give_sign, hostile, hostile_beside, started
from tests.hostile_texts import PATTERNS
from tests.processes import DATASET, Installation, call

pytestmark = pytest.mark.xdist_group("another browser")
PATHS = ("", "/keys", "/events", "/events?state=dead", "/life?id=purchase_1001",
         "/life?id=purchase_1001&dataset=1000000000", "/dead", "/datasets", "/changes")  # fmt: skip
KINDS = ("empty", "full", "trouble", "thirty")
LOOKS = [("empty", 1280, "light"), ("full", 390, "dark"), ("trouble", 390, "light"), ("thirty", 1280, "dark")]
if os.environ.get("RELAY_TEST_ALL_LOOKS"):
    LOOKS = [(kind, width, scheme) for kind in KINDS for width in (1280, 390) for scheme in ("light", "dark")]
AXE = Path(__file__).parent / "axe"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def axe() -> str:
    if not shutil.which("npm"):
        if os.environ.get("CI"):
            pytest.fail("CI needs Node.js and npm; tests/system_packages.sh installs them")
        pytest.skip("no npm on this machine (apt-get install nodejs npm)")
    if not (AXE / "node_modules" / ".package-lock.json").exists():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=AXE, check=True, capture_output=True)
    return (AXE / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture(scope="module")
def installations(tmp_path_factory):
    known: dict[str, Installation] = {}

    def one(kind: str) -> Installation:
        if kind not in known:
            known[kind] = started(tmp_path_factory.mktemp(kind), kind)
        give_sign(known[kind].database, kind)
        return known[kind]

    yield one
    for here in known.values():
        here.end()


@pytest.mark.parametrize(("kind", "width", "scheme"), LOOKS)
def test_every_page_is_fit_to_be_shown(installations, browser, axe, kind, width, scheme):
    here = installations(kind)
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=False)
    page, said, elsewhere = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((here.url, "data:")) else elsewhere.append(r.url))
    for path in PATHS:
        give_sign(here.database, kind)
        policy = page.goto(f"{here.url}/dashboard{path}").headers["content-security-policy"]
        assert "unsafe" not in policy and "*" not in policy
        assert page.url == f"{here.url}/dashboard{path}", "another page was looked at"
        if folder := os.environ.get("RELAY_TEST_PICTURES"):
            name = "".join(c if c.isalnum() else "_" for c in path.strip("/") or "overview")
            page.screenshot(path=f"{folder}/{kind}-{name}-{width}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        is_whole = "[...document.querySelectorAll('.wide')].every(one => one.scrollWidth <= one.clientWidth)"
        assert width < 1280 or page.evaluate(is_whole), f"{path}: a wide screen shows the whole table"
        assert "object at 0x" not in page.content(), "a value that nobody put into words"
        page.evaluate(axe)  # not a script of the page: the policy lets none in
        found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"]
        named = [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found]
        assert named == [], (kind, path)
    assert said == [] and elsewhere == []
    context.close()


def test_the_sign_in_page_is_fit_to_be_shown_too(browser, axe, tmp_path):
    here = started(tmp_path, "empty")
    here.stop()
    here.env["RELAY_ADMIN_PASSWORD"] = "correct-horse"
    here.start("--no-worker")
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(f"{here.url}/dashboard/datasets")
    if folder := os.environ.get("RELAY_TEST_PICTURES"):
        page.screenshot(path=f"{folder}/sign-in-390-light.png")
    page.evaluate(axe)
    found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"]
    assert [one["id"] for one in found] == []
    page.fill("input[name=password]", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    page.fill("input[name=password]", "correct-horse")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{here.url}/dashboard/datasets")
    page.click("text=Sign out")
    page.wait_for_url(f"{here.url}/dashboard/sign-in")
    assert context.cookies() == []
    context.close()
    here.end()


def test_a_name_and_an_id_without_a_place_to_break_make_no_page_wider_than_the_screen(browser, tmp_path):
    here, text = started(tmp_path, "empty"), "W" * 256
    outbox = SqliteOutbox(str(here.database))
    hostile(outbox, [text], time.time())
    outbox.close()
    context = browser.new_context()
    page = context.new_page()
    for width in (390, 820, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for path in ("", "/events", f"/life?id={text[:200]}", "/dead"):
            page.goto(f"{here.url}/dashboard{path}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, path)
    context.close()
    here.end()


MARKUP = (
    "<script>hit()</script>",
    "<img src=x onerror=hit()>",
    '"><svg onload=hit()>',
    "'><body onload=hit()>",
    "javascript:hit()",
    "</title><script>hit()</script>",
    "</textarea><script>hit()</script>",
    "--><script>hit()</script>",
    "<iframe srcdoc='<script>parent.hit()</script>'>",
    "<a href=javascript:hit()>x</a>",
    "' onfocus=hit() autofocus='",
    '" onmouseover=hit() x="',
    "{{hit()}}",
    "${hit()}",
    "<math><mtext><script>hit()</script>",
    "<!--<script>hit()</script>",
    "<style>@import'//evil.example'</style>",
    "<base href=//evil.example>",
    "<form action=//evil.example><button>x",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example>",
)


LINKS = "[...document.querySelectorAll('th.id a')].map(link => link.getAttribute('href'))"


def payloads() -> list[str]:
    """500 texts: each piece of markup in each wrapping that a filter may stumble over."""
    wraps = ("{}", "x{}", "{}" * 2, "\u2028{}", "&lt;{}", "%3C{}", "\\{}", "`{}`", "]]>{}", "{}//", "\x00{}", "<b>{}",
             "\ud7ff{}", "{}<!--", "=cmd|' /C'!A0 {}", "{} ", " {}", "A\n{}", "<<{}", "{}>>", "\u202e{}", "'{}", '"{}',
             "&#60;{}")  # fmt: skip
    texts = [wrap.format(*[markup] * wrap.count("{}")) for wrap in wraps for markup in MARKUP]
    return list(dict.fromkeys([*texts, *(str(pattern)[:120] for pattern in PATTERNS)]))[:520]


def test_500_hostile_texts_stay_text_in_a_browser(browser, tmp_path):
    texts = payloads()
    assert len(texts) >= 500
    here = started(tmp_path, "full")
    try:
        outbox, now = SqliteOutbox(str(here.database)), time.time()
        texts_of_others = [text.replace("\ud83d", "?") or "-" for text in texts]
        hostile(outbox, texts_of_others, now)
        hostile_beside(outbox, here.database, texts_of_others, now)
        books = outbox.counts()
        assert books[DATASET].dead >= 500 and books[DATASET].pending >= 500 and len(books) > 20
        for text in MARKUP:
            assert call("POST", f"{here.url}/webhooks/{quote(text, safe='')}", b"{}")[0] >= 400
        outbox.close()
        context = browser.new_context()
        page, said, elsewhere = context.new_page(), [], []
        page.expose_function("hit", lambda: said.append("a text became a program"))
        page.on("dialog", lambda dialog: (said.append("dialog"), dialog.dismiss()))
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda r: None if r.url.startswith((here.url, "data:")) else elsewhere.append(r.url))
        paths = ["", f"?{urlencode({'dataset': MARKUP[0]})}", "/keys", "/dead", "/datasets", "/changes"]
        page.goto(f"{here.url}/dashboard/events?state=pending")
        paths += [link.removeprefix("/dashboard") for link in page.evaluate(LINKS)][::4]
        page.goto(f"{here.url}/dashboard/events?state=dead")
        while (further := page.locator("a.more")).count():
            page.goto(further.get_attribute("href") and here.url + further.get_attribute("href"))
            paths.append("/events?" + page.url.partition("?")[2])
        for text in (*MARKUP[::3], *texts[::100]):
            asked = urlencode({"q": text, "name": text, "reason": text, "dataset": text})
            paths += [f"/events?{asked}", f"/life?{urlencode({'id': text.replace(chr(0), '')[:200]})}"]
        for path in paths:
            page.goto(f"{here.url}/dashboard{path}")
            alien = page.evaluate(
                "document.querySelectorAll('main script, main img, main iframe, main style, base').length"
            )
            assert alien == 0 and page.locator("h1").count() == 1, path
        assert len(paths) > 30 and said == [] and elsewhere == []
        context.close()
    finally:
        here.end()
