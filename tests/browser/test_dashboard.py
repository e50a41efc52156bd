"""The dashboard in a browser: what changes is patched in place, and nothing is taken from under the reader's hand."""

import json
import time

import pytest
from playwright.sync_api import Page, expect

from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.outbox.suite import sealed
from tests.processes import DATASET, Installation, installation, until

pytestmark = pytest.mark.xdist_group("another browser")
WAITING = {"event_name": "Lead", "user_data": {"email": "a@example.com"}}


@pytest.fixture
def here(tmp_path):
    with installation(tmp_path) as here:
        here.start("--no-worker")
        here.post({"event_id": "first", **WAITING})
        yield here


@pytest.fixture
def page(browser):
    context = browser.new_context()
    page = context.new_page()
    yield page
    context.close()


def put_long_ago(here: Installation, event_id: str) -> None:
    """An event that waits for an hour: so long that somebody is told."""
    outbox, then = SqliteOutbox(str(here.database)), time.time() - 3_600
    outbox.put([sealed(event_id, dataset=DATASET, expires_in=86_400 * 365)], then)
    outbox.close()


def test_a_new_event_appears_without_taking_focus_or_scroll(here: Installation, page: Page):
    page.goto(f"{here.url}/dashboard/events")
    page.fill("input[name=reason]", "half typed")
    row = page.locator("tbody tr a", has_text="first")
    row.focus()
    here.post({"event_id": "second", **WAITING, "event_name": "Contact"})  # the form would offer one more name, too
    expect(page.locator("tbody tr a", has_text="second")).to_be_visible()
    expect(row).to_be_focused()
    expect(page.locator("input[name=reason]")).to_have_value("half typed")


def test_a_page_that_is_paused_stands_still_until_it_goes_on(here: Installation, page: Page):
    page.goto(f"{here.url}/dashboard/events")
    page.click("#live")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    here.post({"event_id": "second", **WAITING})
    page.wait_for_timeout(4_500)
    assert asked == [] and page.locator("tbody tr").count() == 1
    page.click("#live")
    expect(page.locator("tbody tr")).to_have_count(2)


def test_what_was_not_there_before_appears_without_a_reload(tmp_path, page: Page):
    with installation(tmp_path) as here:
        here.start()
        page.goto(f"{here.url}/dashboard")
        expect(page.locator(".teach")).to_be_visible()
        here.post({"event_id": "first", **WAITING})
        expect(page.locator(".balance")).to_contain_text("accepted = the sum of the states")
        expect(page.locator(".teach")).to_have_count(0)
        expect(page.locator("h1")).to_have_count(1)


def test_a_refusal_comes_with_what_can_be_done_about_it_and_leaves_what_the_reader_chose(tmp_path, page: Page):
    with installation(tmp_path) as here:
        here.start()
        here.misbehave(mode="poison", event_ids=["one", "two"])
        page.goto(f"{here.url}/dashboard/dead")
        expect(page.locator("h1")).to_have_text("No dead letters")
        here.post({"event_id": "one", **WAITING})
        expect(page.locator("section.group")).to_contain_text("Lead")
        expect(page.locator("h1")).to_have_text("Dead letters")
        page.check("input[name=key]")
        page.locator("h1").click()  # the focus goes elsewhere, what is chosen stays

        here.post({"event_id": "two", **WAITING})
        expect(page.locator("input[name=key]")).to_have_count(2)
        expect(page.locator("input[name=key]:checked")).to_have_attribute("aria-label", "Choose one")
        expect(page.locator("section.group")).to_have_count(1)


def test_the_page_of_an_event_follows_it_to_its_end(here: Installation, page: Page):
    page.goto(f"{here.url}/dashboard/life?id=first")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.locator("button[value=replay]")).to_have_count(0)
    here.misbehave(mode="poison", event_ids=["first"])
    assert here.command("deliver", "--once").returncode == 1
    expect(page.locator(".remedy")).to_be_visible()
    expect(page.locator("button[value=replay]")).to_be_visible()
    page.click("button[data-copy]")
    assert page.evaluate("navigator.clipboard.readText()") == "first"


@pytest.mark.parametrize("how", ["down", "error", "hangs"])
def test_a_page_that_gets_no_answer_says_since_when_it_is_old(here: Installation, page: Page, how):
    """Whoever looks at it would think that all is well for as long as the relay is down."""
    page.clock.install()
    page.goto(f"{here.url}/dashboard/events")
    stale = page.locator("#stale")
    page.clock.run_for(5_000)
    expect(stale).to_be_hidden()
    answer = {
        "down": lambda route: route.abort(),
        "error": lambda route: route.fulfill(status=503, body="<main id=main></main>"),
        "hangs": lambda route: None,
    }[how]
    page.route("**/dashboard/events", answer)
    for _ in range(40):
        page.clock.run_for(1_000)
        if stale.is_visible():
            break
    expect(stale).to_contain_text("No answer since")
    assert page.locator("tbody tr").count() == 1
    page.unroute("**/dashboard/events")
    if how != "hangs":
        for _ in range(40):
            page.clock.run_for(1_000)
            if stale.is_hidden():
                break
        expect(stale).to_be_hidden()


def test_a_selection_over_several_rows_stays(here: Installation, page: Page):
    here.post({"event_id": "second", **WAITING})
    page.goto(f"{here.url}/dashboard/events")
    page.evaluate("""() => {
        const rows = document.querySelectorAll("tbody tr");
        getSelection().setBaseAndExtent(rows[0], 0, rows[1], rows[1].childNodes.length);
        for (const row of rows) row.dataset.mine = row.dataset.key;
    }""")
    chosen = page.evaluate("getSelection().toString()")
    here.post({"event_id": "third", **WAITING})
    expect(page.locator("tbody tr a", has_text="third")).to_be_visible(timeout=15_000)
    assert page.evaluate("getSelection().toString()") == chosen
    assert page.locator("tbody tr[data-mine]").count() == 2


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_no_page_is_wider_than_the_screen_or_says_anything_to_the_console(here: Installation, browser, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    elsewhere: list[str] = []
    page.on("request", lambda r: None if r.url.startswith((here.url, "data:")) else elsewhere.append(r.url))
    for path in ("", "/keys", "/events", "/life?id=first", "/dead", "/datasets"):
        page.goto(f"{here.url}/dashboard{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        for control in page.locator("input:visible, select:visible").all():
            named = control.evaluate("e => Boolean(e.labels && e.labels.length) || e.hasAttribute('aria-label')")
            assert named, path
        assert page.locator("h1").count() == 1 and page.locator("main").count() == 1
    assert said == [] and elsewhere == []
    context.close()


def test_an_event_is_erased_from_its_page_and_without_javascript_too(here: Installation, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{here.url}/dashboard/life?id=first")
    erase = page.locator("button[value=erase]")
    expect(erase).to_be_hidden()
    page.locator("summary", has_text="Erase it").click()
    erase.click()
    expect(page.locator(".done")).to_contain_text("1 event erased")
    until(lambda: here.books()["erased"] == 1)
    assert "An operator changed events" in here.logs()
    assert json.loads(here.command("explain", "first", "--json").stdout)[0]["state"] == "erased"
    context.close()


def test_a_need_is_announced_once_though_its_figures_change(here: Installation, page: Page):
    page.goto(f"{here.url}/dashboard")
    news = page.locator("#news[role=status]")
    page.evaluate("""() => {
      window.said = [];
      const news = document.getElementById("news");
      new MutationObserver(() => window.said.push(news.textContent)).observe(news, { childList: true });
    }""")
    expect(page.locator(".needs")).to_contain_text("Nobody delivers just now")
    need = page.locator(".need", has_text="nobody delivers;")
    put_long_ago(here, "of an hour ago")
    expect(need).to_contain_text("2 events wait", ignore_case=True)
    expect(news).to_contain_text("Nobody delivers; 2 events wait")
    here.post({"event_id": "second", **WAITING})
    expect(need).to_contain_text("3 events wait")
    assert len(page.evaluate("said")) == 1
    assert need.get_attribute("role") is None, "each change of it would be read out"


def test_what_a_form_did_has_the_focus_and_is_said_once(here: Installation, page: Page):
    page.goto(f"{here.url}/dashboard/life?id=first")
    page.locator("summary", has_text="Erase it").click()
    page.get_by_role("button", name="Yes, erase it").click()
    expect(page.locator(".done")).to_be_focused()
    page.wait_for_timeout(4_500)
    expect(page.locator(".done")).to_contain_text("1 event erased")
    assert "done=" not in page.url
    page.reload()
    expect(page.locator(".done")).to_have_count(0)
