"""The pictures of the documents, of the pages as they are now.

    python -m tests.browser.pictures

The demo, a dozen visitors of its site in Chromium, of whom some register, pay and write; then its dashboard and Meta's
stand-in. To be run when one of the two looks different, and to be looked at before it is committed.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import SWITCHES, chromium_path
from tests.browser.site import ROOT
from tests.processes import Process, call, free_pair, until

IMAGES = ROOT / "docs" / "images"
COURSES = ("watercolour", "sourdough", "kintsugi")
VISITORS = 12


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        port = free_pair()
        here, meta = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
        env = {"RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db"}
        demo = Process("demo", "--port", str(port), log=Path(folder) / "demo.log", env=env)
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=SWITCHES)
        try:
            until(lambda: call("GET", f"{here}/readyz")[0] == 200)
            for number in range(VISITORS):
                _visit(browser, here, number)
            until(
                lambda: _came(meta).count("Purchase") == VISITORS // 4 and _came(meta).count("Contact") == VISITORS // 5
            )
            _take(browser, f"{here}/dashboard", "dashboard", "text=Purchase arrives", 900)
            _take(browser, f"{meta}/", "stand-in", "text=registration_", 700)
        finally:
            browser.close()
            demo.end()


def _came(meta: str) -> list[str]:
    """Names of the events that came from the server."""
    rows = call("GET", f"{meta}/_emulator/events")[1]["events"]
    return [row["event"]["event_name"] for row in rows if row["source"] == "server"]


def _visit(browser: Browser, here: str, number: int) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{here}/courses/{COURSES[number % len(COURSES)]}")
    if number % 2:
        _register(page, number)
        if number % 4 == 1:
            page.click("#pay button[type=submit]")
            page.wait_for_url("**/thanks/*")
    if number % 5 == 4:
        page.goto(f"{here}/contact")
        page.fill("[name=name]", "A visitor")
        page.fill("[name=email]", f"visitor-{number}@example.org")
        page.fill("[name=message]", "May I bring my own brushes?")
        page.click("#contact button[type=submit]")
        page.locator("#contact .done").wait_for()
    page.wait_for_load_state("networkidle")
    context.close()


def _register(page: Page, number: int) -> None:
    page.fill("[name=name]", "A visitor")
    page.fill("[name=email]", f"visitor-{number}@example.org")
    page.fill("[name=phone]", "+44 20 7946 0958")
    page.click("#register button[type=submit]")
    page.wait_for_url("**/checkout/*")


def _take(browser: Browser, url: str, name: str, shown: str, height: int) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": height})
    page.goto(url)
    page.locator(shown).first.wait_for()
    page.screenshot(path=IMAGES / f"{name}.png")
    page.close()


if __name__ == "__main__":
    main()
