"""`expect FILE.yml`: exactly the expected events come out of a page, or a site's CI says which did not."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from conversion_relay.cli.expect.plan import read_plan
from tests.browser.chromium import chromium_path
from tests.browser.site import ROOT

pytestmark = pytest.mark.xdist_group("another browser")
RELAY = "https://relay.shop.example"
ID = "1232612085335834"
BASE_CODE = (
    "!function(f,b,e,v,n,t,s){if(f.fbq)return;n=f.fbq=function(){n.callMethod?n.callMethod.apply(n,arguments):"
    "n.queue.push(arguments)};if(!f._fbq)f._fbq=n;n.push=n;n.loaded=!0;n.version='2.0';n.queue=[];t=b.createElement(e);"
    "t.async=!0;t.src=v;s=b.getElementsByTagName(e)[0];s.parentNode.insertBefore(t,s)}(window,document,'script',"
    f"'https://connect.facebook.net/en_US/fbevents.js');fbq('init','{ID}');fbq('track','PageView');"
)
LEAD = "MetaTracking.track('Lead', {value: 12.5, currency: 'EUR', content_name: 'Kintsugi'})"


class Shop:
    """A site as its own CI starts it: it knows nothing of a test."""

    def __init__(self) -> None:
        self.on_click = LEAD
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = (
                    f"<!doctype html><title>Shop</title><link rel=icon href=data:,><script>{BASE_CODE}</script>"
                    f'<script src="{RELAY}/meta-tracking.min.js" data-endpoint="{RELAY}/events"></script>'
                    f'<input id=who><button onclick="{shop.on_click}">Write to us</button>'
                ).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def shop():
    chromium_path()
    shop = Shop()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()


def plan_of(shop: Shop, *expected: dict, **more: object) -> dict:
    page = {"name": "contact", "url": shop.url, "do": [{"fill": {"#who": "x"}}, {"click": "button"}]}
    both = [{"event": "PageView", "sides": "browser"}, *expected]
    return {"collector": RELAY, "quiet": 0.3, "within": 8, "pages": [{**page, "expect": both}], **more}


def expect(folder: Path, plan: object, *options: str) -> subprocess.CompletedProcess[str]:
    file = folder / "events.yml"
    file.write_text(plan if isinstance(plan, str) else yaml.safe_dump(plan))
    command = [sys.executable, "-m", "conversion_relay.cli", "expect", str(file), *options]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=100, check=False)


BROKEN = f"{{collector: '{RELAY}', pages: [{{url: 'http://y.example', expect: [LEAD], do: [DO]}}]}}"
WHOLE = {"event": "Lead", "value": 12.5, "currency": "eur", "keys": ["fbp", "client_ip_address", "client_user_agent"]}


def test_a_page_that_sends_what_is_expected_passes(shop, tmp_path):
    shop.on_click = LEAD
    plan = plan_of(shop, {**WHOLE, "custom_data": {"content_name": "Kintsugi"}})
    done = expect(tmp_path, plan, "--junit", str(tmp_path / "report.xml"))
    assert (done.returncode, done.stdout) == (0, "ok    contact\n"), done.stderr
    (suite,) = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert [case.get("name") for case in suite] == ["PageView", "Lead", "nothing else"]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")


def test_every_difference_is_named(shop, tmp_path):
    shop.on_click = f"fbq('track', 'Lead', {{value: 12.5}}); {LEAD}; fbq('track', 'Contact')"
    plan = plan_of(shop, {**WHOLE, "value": 13, "keys": ["em"]})
    done = expect(tmp_path, plan, "--json", "--junit", str(tmp_path / "report.xml"))
    assert done.returncode == 1, done.stderr
    (page,) = json.loads(done.stdout)["pages"]
    told = {f"{one['event']}: {one['what']}" for one in page["findings"]}
    assert told >= {
        "Lead: the pixel sent 2, expected 1",
        "Lead: the pixel sent it without an event_id",
        "Lead: pixel and server carry different ids, so Meta counts both",
        "Lead: the server says value 12.5, expected 13",
        "Lead: the pixel says currency nothing, expected EUR",
        "Lead: the server's copy carries no em",
        "Contact: nobody expects it, and the pixel sent 1",
    }
    (suite,) = ElementTree.parse(tmp_path / "report.xml").getroot()
    failed = {case.get("name"): case.find("failure") is not None for case in suite}
    assert failed == {"PageView": False, "Lead": True, "nothing else": True}


def test_what_the_collector_refused_is_told_beside_what_is_missing(shop, tmp_path):
    shop.on_click = "MetaTracking.track('Purchase', {value: 1, currency: 'EUR'})"
    plan = plan_of(shop, {"event": "Purchase"}, within=1)
    done = expect(tmp_path, plan)
    assert done.returncode == 1 and "Purchase: the server sent 0, expected 1" in done.stdout
    assert "the collector answered 4" in done.stdout and "to /events" in done.stdout
    allowed = plan_of(shop, {"event": "Purchase", "value": 1}, settings={"RELAY_PUBLIC_EVENTS": "Purchase"})
    assert expect(tmp_path, allowed).returncode == 0


def test_a_page_that_cannot_be_tried_fails_and_the_others_are_tried(shop, tmp_path):
    shop.on_click = LEAD
    plan = plan_of(shop, {"event": "Lead"})
    plan["pages"].insert(0, {"url": "http://127.0.0.1:1/", "expect": []})
    done = expect(tmp_path, plan, "--junit", str(tmp_path / "report.xml"))
    assert done.returncode == 1 and "the page could not be tried" in done.stdout and "ok    contact" in done.stdout
    first, second = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert (first.get("errors"), second.get("errors")) == ("1", "0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pages: [", "events.yml"),
        ("collector: https://x.example", "`pages`"),
        (BROKEN.replace("LEAD", "{event: Lead, vaule: 1}").replace("DO", ""), "vaule"),
        (BROKEN.replace("LEAD", "").replace("DO", "{klick: x}"), "no such verb"),
        (BROKEN.replace("LEAD", "").replace("DO", "{click: x, type: y}"), "one verb"),
    ],
)
def test_a_file_that_cannot_be_read_is_wrong_usage(tmp_path, text, said):
    done = expect(tmp_path, text)
    assert done.returncode == 2 and said in done.stderr


def test_the_example_of_the_documents_is_a_file_that_can_be_read():
    page = (ROOT / "docs/operations.md").read_text()
    example = page.partition("```yaml\n# events.yml\n")[2].partition("```")[0]
    assert [wanted.event for one in read_plan(yaml.safe_load(example)).pages for wanted in one.expect]
    action = yaml.safe_load(page.partition("```yaml\n# .github/workflows/events.yml\n")[2].partition("```")[0])
    assert any("conversion-relay expect" in step.get("run", "") for step in action["jobs"]["events"]["steps"])


def test_a_wrong_setting_in_the_file_is_a_wrong_setting(shop, tmp_path):
    done = expect(tmp_path, plan_of(shop, {"event": "Lead"}, settings={"RELAY_CONSENT": "nonsense"}))
    assert done.returncode == 78 and "RELAY_CONSENT" in done.stderr
