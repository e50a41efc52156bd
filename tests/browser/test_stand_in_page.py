"""The page of Meta's stand-in, for who reads it with the keyboard or a screen reader."""

import pytest
from playwright.sync_api import Page, expect

from tests.processes import call, installation

pytestmark = pytest.mark.xdist_group("another browser")


@pytest.fixture
def page(browser):
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_nothing_is_taken_from_under_the_readers_hand_or_read_out_twice(tmp_path, page: Page):
    with installation(tmp_path) as here:
        address = f"{here.meta}/tr?id=1&ev=PageView&eid="
        call("GET", address + "first")
        page.goto(here.meta)
        summary = page.locator("#events summary", has_text="first")
        summary.focus()
        page.evaluate("""() => {
          window.said = 0;
          new MutationObserver(() => window.said++).observe(document.getElementById("figures"), { childList: true });
        }""")
        page.wait_for_timeout(6_500)  # ages are written anew every five seconds
        expect(summary).to_be_focused()
        assert page.evaluate("said") == 0
        call("GET", address + "second")
        expect(page.locator("#events summary", has_text="second")).to_be_visible()
        expect(summary).to_be_focused()
        page.get_by_role("button", name="throttle").press("Enter")
        expect(page.get_by_role("button", name="throttle", pressed=True)).to_be_visible()
        summary.press("Enter")
        page.locator("#events details[open] pre").select_text()
        page.wait_for_timeout(6_500)
        assert "event_name" in page.evaluate("String(getSelection())")
