"""What `serve` gives a page of another origin: the script, pinned, and its policy, readable."""

import json

import pytest

from conversion_relay.collector.scripts import scripts

pytestmark = pytest.mark.xdist_group("browser")  # one browser for all of them
SEEN = {"content_data": {"content_name": "Kintsugi"}}


@pytest.fixture
def shop(context, site):
    """A tab on something of the shop that comes without a policy, which would forbid other hosts' scripts."""
    page = context.new_page()
    page.goto(site.url("/meta-tracking.js"))
    return page


def load(page, url: str, integrity: str) -> str:
    """ "load" or "error"."""
    return page.evaluate(
        """([src, integrity]) => new Promise((done) => {
             const script = Object.assign(document.createElement("script"), {src, integrity, crossOrigin: "anonymous"});
             script.onload = script.onerror = (event) => done(event.type);
             document.head.append(script);
           })""",
        [url, integrity],
    )


@pytest.mark.parametrize("name", [name for name in scripts() if name.endswith(".js")])
def test_a_page_of_another_origin_loads_the_script_that_its_hash_pins(shop, relay, name):
    script = scripts()[name]
    assert load(shop, f"{relay.url}/{name}?v={script.version}", script.integrity) == "load"
    assert shop.evaluate("typeof MetaTracking.track") == "function"


def test_another_hash_is_refused_by_the_browser(shop, relay):
    wrong = scripts()["meta-tracking.js"].integrity
    assert load(shop, f"{relay.url}/meta-tracking.min.js", wrong) == "error"


@pytest.mark.parametrize(
    ("path", "body"),
    [("events", {"event_name": "Lead", "user_data": {}}), ("view-content", SEEN), ("visitors", {"key": "1001"})],
)
def test_a_page_of_another_origin_reads_the_policy(shop, relay, path, body):
    read = shop.evaluate(
        """([url, body]) => fetch(url, {method: "POST", body})
             .then((answer) => answer.headers.get("X-Relay-Policy"))""",
        [f"{relay.url}/{path}", json.dumps(body)],
    )
    assert read == "gpc=limit, consent=optional"
