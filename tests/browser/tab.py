"""What tests of the browser's script share: a relay, a website, a tab that is watched, and what arrived at Meta."""

from playwright.sync_api import BrowserContext, Page

from tests.browser.site import Site
from tests.processes import Installation, until

COURSE = {"content_name": "Kintsugi", "content_category": "craft"}


def watched(context: BrowserContext, relay: Installation, site: Site) -> Page:
    """A tab that notes what went out, and every complaint of the browser."""
    page = context.new_page()
    page.sent, page.problems = [], []
    ours = (relay.url, relay.meta)
    page.on("request", lambda request: page.sent.append(request) if request.url.startswith(ours) else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: page.problems.append(line.text) if "Content Security" in line.text else None)
    return page


def track(page: Page, name: str = "ViewContent", data: dict | None = None, options: dict | None = None) -> str:
    return page.evaluate("([name, data, options]) => MetaTracking.track(name, data, options)", [name, data, options])


def rows(relay: Installation, event_id: str) -> list[dict]:
    return [row for row in relay.arrived() if row["event"].get("event_id") == event_id]


def from_server(relay: Installation, event_id: str) -> dict:
    """The server's copy at Meta, once it is there."""

    def found():
        return next((row["event"] for row in rows(relay, event_id) if row["source"] == "server"), None)

    return until(found, 40)


def cookies(context: BrowserContext) -> dict[str, dict]:
    return {cookie["name"]: cookie for cookie in context.cookies()}


def stored(page: Page) -> int:
    return page.evaluate("localStorage.length + sessionStorage.length")


def sides(relay: Installation, name: str) -> dict:
    """The meter as `status --json` tells it."""
    return relay.books().get("deduplication", {}).get(name, {"both": 0, "server_only": 0, "browser_only": 0})


def purchase(event_id: str, *, email: str | None = None, **custom_data: object) -> dict:
    """As a payment webhook's server tells it."""
    paid = {"value": 12, "currency": "EUR", **custom_data}
    person = {"email": email} if email else {}
    return {"event_name": "Purchase", "event_id": event_id, "user_data": person, "custom_data": paid}
