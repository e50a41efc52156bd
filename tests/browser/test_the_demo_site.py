"""A visitor clicks through the demo in a real browser: look, register, write, pay; and what Meta's stand-in shows."""

import hashlib
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.processes import Process, call, free_pair, until

pytestmark = pytest.mark.xdist_group("another browser")  # one browser for all of them
EMAIL, NAME, PHONE = "canary.person@example.org", "Canaria Personsson", "+44 20 7946 0958"
TOKEN = "EAAdemo-canary-token"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    port = free_pair()
    process = Process(
        "demo",
        "--port",
        str(port),
        log=folder / "demo.log",
        env={
            "RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db",
            "META_ACCESS_TOKEN": TOKEN,
            "TMPDIR": str(tmp_path_factory.mktemp("in-clear")),  # the site's own registrations and mails
        },
    )
    here = f"http://127.0.0.1:{port}"
    until(lambda: call("GET", f"{here}/readyz")[0] == 200)
    yield here, f"http://127.0.0.1:{port + 1}", folder
    assert process.stop() == 0
    process.end()


@pytest.fixture
def page(browser: Browser, demo):
    context = browser.new_context()
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    yield page
    assert page.problems == []
    context.close()


def arrived(meta: str) -> dict[str, list[dict]]:
    """Rows at the stand-in by event id."""
    rows: dict[str, list[dict]] = {}
    for row in call("GET", f"{meta}/_emulator/events")[1]["events"]:
        rows.setdefault(row["event"]["event_id"], []).append(row)
    return rows


def from_the_server(meta: str, event_id: str) -> list[dict]:
    return [row["event"] for row in arrived(meta).get(event_id, ()) if row["source"] == "server"]


def register(page: Page, here: str, email: str) -> str:
    page.goto(f"{here}/courses/watercolour")
    page.fill("[name=name]", NAME)
    page.fill("[name=email]", email)
    page.fill("[name=phone]", PHONE)
    page.click("#register button[type=submit]")
    page.wait_for_url("**/checkout/*")
    return page.url.rpartition("/")[2]


def pay(page: Page) -> None:
    page.click("#pay button[type=submit]")
    page.wait_for_url("**/thanks/*")


def test_view_register_pay_and_contact_arrive_with_their_ids_once(page, demo):
    here, meta, _ = demo
    registration_id = register(page, here, EMAIL)
    pay(page)
    page.goto(f"{here}/contact")
    page.fill("[name=name]", NAME)
    page.fill("[name=email]", EMAIL)
    page.fill("[name=message]", "May I bring my own brushes?")
    page.click("#contact button[type=submit]")
    expect(page.locator("#contact .done")).to_be_visible()

    digest = hashlib.sha256(EMAIL.encode()).hexdigest()
    (fbp,) = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "_fbp"]

    def of_this_browser() -> dict:
        rows = [row for found in arrived(meta).values() for row in found if row["source"] == "server"]
        return {row["event"]["event_id"]: row["event"] for row in rows if row["event"]["user_data"].get("fbp") == fbp}

    until(lambda: len(of_this_browser()) >= 4)
    server = of_this_browser()
    assert any(event_id.startswith(f"contact_{digest}_") for event_id in server)
    assert sorted(event["event_name"] for event in server.values()) == [
        "CompleteRegistration",
        "Contact",
        "Purchase",
        "ViewContent",
    ]
    assert {f"registration_{registration_id}", f"purchase_{registration_id}"} <= server.keys()
    for event in server.values():
        assert event["action_source"] == "website"
        assert event["event_source_url"].startswith(here)
        assert event["user_data"]["client_user_agent"].startswith("Mozilla/5.0")
    purchase = server[f"purchase_{registration_id}"]
    assert (purchase["custom_data"]["value"], purchase["custom_data"]["currency"]) == (299.99, "USD")
    assert purchase["user_data"]["em"] == [digest]
    view = next(event for event in server.values() if event["event_name"] == "ViewContent")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", view["event_id"])


def test_browser_and_server_share_the_id_and_meta_counts_one(page, demo):
    here, meta, _ = demo
    page.goto(f"{here}/courses/sourdough")

    def both():
        return [
            found
            for found in arrived(meta).values()
            if found[0]["event"].get("custom_data", {}).get("content_name") == "Sourdough at Home" and len(found) == 2
        ]

    (pair,) = until(both)
    assert {row["source"] for row in pair} == {"browser", "server"}
    assert [row["duplicate"] for row in pair] == [False, True]


def test_the_same_webhook_again_adds_nothing(page, demo):
    here, meta, _ = demo
    registration_id = register(page, here, "second.person@example.org")
    pay(page)
    until(lambda: from_the_server(meta, f"purchase_{registration_id}"))
    before = call("GET", f"{here}/dashboard/data")[1]["datasets"][0]["accepted"]
    page.click("#webhook-again button")
    expect(page.locator(".done")).to_contain_text("nothing was added")
    assert call("GET", f"{here}/dashboard/data")[1]["datasets"][0]["accepted"] == before
    assert len(from_the_server(meta, f"purchase_{registration_id}")) == 1


def test_the_click_that_led_here_is_in_the_purchase_to_the_byte_and_a_newer_click_replaces_it(page, demo):
    here, meta, _ = demo
    for click, email in (("IwAR-First_1", "clicked.one@example.org"), ("IwAR-Second_2", "clicked.two@example.org")):
        page.goto(f"{here}/?fbclid={click}&utm_source=fb")
        registration_id = register(page, here, email)
        pay(page)
        (fbc,) = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "_fbc"]
        assert fbc.split(".")[3] == click
        for name in ("registration", "purchase"):
            (event,) = until(lambda event_id=f"{name}_{registration_id}": from_the_server(meta, event_id))
            assert event["user_data"]["fbc"] == fbc


def test_the_page_of_thanks_tells_the_pixel_of_the_purchase_once(page, demo):
    here, meta, _ = demo
    registration_id = register(page, here, "thankful@example.org")
    pay(page)
    purchase = f"purchase_{registration_id}"
    until(lambda: len(arrived(meta).get(purchase, ())) == 2)
    page.reload()
    page.goto(f"{here}/thanks/{registration_id}")
    page.wait_for_load_state("networkidle")
    assert sorted(row["source"] for row in arrived(meta)[purchase]) == ["browser", "server"]
    assert sum(row["duplicate"] for row in arrived(meta)[purchase]) == 1


def test_registering_again_when_paid_is_told_beside_the_field(page, demo):
    here, _, _ = demo
    register(page, here, "third.person@example.org")
    pay(page)
    page.goto(f"{here}/courses/watercolour")
    page.fill("[name=name]", NAME)
    page.fill("[name=email]", "Third.Person@example.org")
    page.click("#register button[type=submit]")
    expect(page.locator("#register .problem")).to_contain_text("E-mail")
    assert page.get_attribute("[name=email]", "aria-invalid") == "true"


def test_without_javascript_the_forms_still_work(browser, demo):
    here, _, _ = demo
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    register(page, here, "no.script@example.org")
    page.click("#pay button[type=submit]")
    expect(page.locator("h1")).to_contain_text("Thank you")
    context.close()


def test_the_pages_obey_their_own_content_security_policy(browser, demo):
    here, meta, _ = demo
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for path in (f"{here}/", f"{here}/courses/kintsugi", f"{here}/contact", f"{here}/dashboard", f"{meta}/"):
        page.goto(path)
        page.wait_for_load_state("load")
    assert [text for text in said if "Content Security Policy" in text] == []
    context.close()


def test_the_dashboard_tells_an_events_story(page, demo):
    here, _, _ = demo
    page.goto(f"{here}/")
    page.goto(f"{here}/dashboard")
    expect(page.locator(".balance").first).to_contain_text("accepted = the sum of the states")
    page.goto(f"{here}/dashboard/events")
    page.locator("tbody tr a").first.click()
    expect(page.locator("#story-steps")).to_contain_text("accepted: durable from here on")


def test_no_person_and_no_token_is_in_log_outbox_or_url(page, demo):
    here, meta, folder = demo
    registration_id = register(page, here, "Canary.Two@example.org")
    pay(page)
    until(lambda: from_the_server(meta, f"purchase_{registration_id}"))
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    kept += str([call("GET", f"{here}{path}")[1] for path in ("/dashboard/data", "/metrics")]).encode()
    kept += str([call("GET", f"{meta}/_emulator/{what}")[1] for what in ("events", "requests")]).encode()
    assert registration_id.encode() in kept
    canaries = ["canary.two", NAME, "Canaria", "Personsson", "442079460958", "7946 0958", TOKEN]
    assert [canary for canary in canaries if canary.lower().encode() in kept.lower()] == []
