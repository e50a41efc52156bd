"""One browser for the tests; every name leads to this machine."""

import contextlib

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Playwright, expect, sync_playwright

from tests.browser.chromium import SWITCHES, chromium_path, shell_path
from tests.browser.shop import Shop
from tests.browser.site import Site
from tests.browser.stage import Stage
from tests.browser.tab import watched
from tests.processes import Installation, installation

expect.set_options(timeout=60_000)  # Playwright's five seconds are too few where the machine is busy


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright):
    browser = playwright.chromium.launch(executable_path=shell_path(), args=SWITCHES)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def whole_browser(playwright: Playwright):
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=SWITCHES)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    site = Site()
    with installation(tmp_path_factory.mktemp("relay")) as here:
        here.env |= {"RELAY_ALLOWED_ORIGINS": site.origins, "RELAY_TRUSTED_PROXIES": "127.0.0.1/32"}
        here.site = site
        here.start()
        yield here
    site.close()


@pytest.fixture
def site(relay: Installation) -> Site:
    site: Site = relay.site
    site.attributes, site.has_pixel, site.is_proxy = "", True, False
    site.endpoint, site.meta = relay.url, relay.meta
    if not relay.is_running():
        relay.start()
    relay.misbehave(mode="none")
    return site


@pytest.fixture
def context(browser: Browser, site: Site):
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, relay: Installation, site: Site):
    page = watched(context, relay, site)
    yield page
    assert page.problems == []


@pytest.fixture
def shop(browser: Browser):
    shop = Shop(browser)
    yield shop
    shop.context.close()
    assert shop.said == []


@pytest.fixture(scope="module")
def theatre():
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture
def stage(theatre: Stage) -> Stage:
    theatre.reset()
    return theatre


@pytest.fixture
def tab(browser: Browser, stage: Stage):
    """A tab for the stage's pages, in which nothing may complain."""
    context = browser.new_context()
    page = context.new_page()
    page.said = []
    page.on("console", lambda line: page.said.append(line.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    yield page
    said = [*page.said]
    with contextlib.suppress(Error):  # a tab that still goes somewhere may never be closed
        page.goto("about:blank", timeout=10_000)
    context.close()
    assert said == []
