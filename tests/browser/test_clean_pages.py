"""axe-core finds nothing on any page of ours, and the browser's console stays empty."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.stage import Stage
from tests.processes import Process, call, free_pair, until

pytestmark = pytest.mark.xdist_group("node")  # where axe-core is
OF_THE_SITE = ("/", "/courses/watercolour", "/contact", "/no-such-page")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("demo"), free_pair()
    env = {"RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db", "META_ACCESS_TOKEN": "EAAdemo"}
    process = Process("demo", "--port", str(port), log=folder / "demo.log", env=env)
    here = f"http://127.0.0.1:{port}"
    until(lambda: call("GET", f"{here}/readyz")[0] == 200)
    yield here
    process.stop()
    process.end()


@pytest.fixture
def looked_at(browser: Browser, node: Path):
    """A tab, and what axe and the console say of an address."""
    context = browser.new_context(bypass_csp=True)  # axe is not of the page
    page, axe = context.new_page(), node / "node_modules/axe-core/axe.min.js"

    def complaints(url: str, *steps) -> list[str]:
        said: list[str] = []
        page.on("console", lambda line: said.append(line.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(url, wait_until="load")
        for step in steps:
            step(page)
        page.add_script_tag(path=axe)
        found = page.evaluate(
            "axe.run().then(({violations}) => violations.map(v => [v.id, v.nodes[0].html].join(': ')))"
        )
        return said + found

    yield complaints
    context.close()


@pytest.mark.parametrize("path", OF_THE_SITE)
def test_the_course_sites_pages_are_clean(looked_at, demo, path):
    allowed = ["Failed to load resource: the server responded with a status of 404 (Not Found)"]
    assert [line for line in looked_at(demo + path) if path != OF_THE_SITE[-1] or line not in allowed] == []


def test_the_way_to_a_payment_is_clean(looked_at, demo):
    def register(page) -> None:
        page.fill("#register [name=name]", "Canaria Personsson")
        page.fill("#register [name=email]", "canary.clean@example.org")
        page.click("#register button[type=submit]")
        page.wait_for_url("**/checkout/*")

    def pay(page) -> None:
        page.click("#pay button[type=submit]")
        page.wait_for_url("**/thanks/*")

    assert looked_at(f"{demo}/courses/sourdough", register) == []
    assert looked_at(f"{demo}/courses/watercolour", register, pay) == []


@pytest.mark.parametrize("script", ["/meta-tracking.js", "/mirror.js"])
def test_the_tests_own_pages_are_clean(looked_at, script):
    stage = Stage()
    stage.script, stage.attributes = script, "data-mirror"
    stage.more = f'<a href="{stage.url("/pay", "pay.example")}" data-checkout="ref">pay</a>'
    assert looked_at(stage.url("/?fbclid=IwAR-clean"), lambda page: page.evaluate("MetaTracking.track('Lead')")) == []
    stage.close()
