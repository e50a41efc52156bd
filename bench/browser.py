"""What the script costs a page: bytes, and the main thread's time for loading it and reporting one event.

Under four times the CPU throttling, in fresh pages of the system's Chromium: the time that scripts held the main
thread, compilation included, as Chromium's own counters tell it, less that of a page with an empty script; and how long
the call itself kept its caller waiting. What cookies, storage and requests cost comes in a task of its own afterwards.
The browser has a floor: the first script of a page that looks at an element pays for Chromium's making ready, the first
look at cookies and storage waits for another process, a request is made ready. A script that does these four things and
nothing else is measured beside ours. The time is the thread's own (`threadTicks`), so that a busy machine counts less.
"""

import gzip

from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import SWITCHES, chromium_path
from tests.browser.site import ROOT, Site

THROTTLED = 4
COUNTED = ("ScriptDuration", "V8CompileDuration")
EMPTY = "MetaTracking = {track() {}}"
LEAST = (
    EMPTY
    + """; (({endpoint}) => setTimeout(() => {
  document.cookie = "_fbp=" + document.cookie.length + ";max-age=60"; localStorage.least = 1;
  fetch(endpoint, {method: "POST", body: "{}", keepalive: true}).then((answer) => answer.status);
}))(document.currentScript.dataset)"""
)
CALL = """
() => {
  const at = performance.now();
  MetaTracking.track('ViewContent', {content_name: 'Kintsugi', content_category: 'craft'});
  return performance.now() - at;
}
"""


def rounds(n: int) -> list[tuple[float, float, float, float]]:
    """Milliseconds of n pages: the script and one event, the call alone, the least script; and
    the page with an empty script, which is taken off the first and the third."""
    source = (ROOT / "src/meta-tracking.min.js").read_text()
    site = Site()
    site.has_pixel = False
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=SWITCHES)
        for _ in range(n):
            scripts = (source, LEAST, EMPTY)
            (ours, call), (least, _), (empty, _) = (_measure(browser, site, text) for text in scripts)
            found.append((ours - empty, call, least - empty, empty))
        browser.close()
    site.close()
    return found


def gzipped() -> int:
    """Bytes of the minified script on the wire."""
    return len(gzip.compress((ROOT / "src/meta-tracking.min.js").read_bytes(), 9))


def _measure(browser: Browser, site: Site, source: str) -> tuple[float, float]:
    """Milliseconds: scripts on the main thread, and the call."""
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    session.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLED})
    page.route("**/meta-tracking.js", lambda route: route.fulfill(body=source, content_type="text/javascript"))
    page.route("**/events", lambda route: route.fulfill(status=202, body="{}"))
    page.goto(site.url("/?fbclid=IwAR-bench"))
    call = page.evaluate(CALL)
    page.wait_for_load_state("networkidle")
    metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    context.close()
    return sum(metrics[name] for name in COUNTED) * 1e3, call
