"""What the script costs a page: bytes, and the main thread's time for loading it and reporting one event.

In fresh pages of the system's Chromium, which take turns: both builds, an empty script, the least script that does
what none can do without (a look at cookies and storage, one request), and one that does nothing but call the browser
as ours does: its settings, its listeners, both ids written and read back, the queue kept and emptied. The time is that
of Chromium's own trace: the main thread's outermost tasks that run script (evaluation with compilation, timers,
listeners, promises), each by the thread's CPU clock (`tdur`), and times four. Chromium's own throttling is not used: it
halts the thread by the wall clock and within the thread's CPU time, so that a busy machine makes both of them several
times longer. Of each the time of the empty script's page is taken off; the other two show what of the rest is the
browser's floor.
"""

import gzip
import json
import statistics
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Route, sync_playwright

from tests.browser.chromium import SWITCHES, chromium_path
from tests.browser.site import ROOT

THROTTLED = 4
"""A phone's CPU, by that of this machine."""
TRACED = ("devtools.timeline", "v8")
COUNTED = {"EvaluateScript", "v8.compile", "FunctionCall", "TimerFire", "EventDispatch", "RunMicrotasks"}
EMPTY = "MetaTracking = {track() {}}"
LEAST = (
    EMPTY
    + """; (({endpoint}) => setTimeout(() => {
  document.cookie = "_fbp=" + document.cookie.length + ";max-age=60"; localStorage.least = 1;
  fetch(endpoint, {method: "POST", body: "{}", keepalive: true}).then((answer) => answer.status);
}))(document.currentScript.dataset)"""
)
CALLS = (
    EMPTY
    + """; (({endpoint}) => {
  navigator.globalPrivacyControl; location.href; document.prerendering;
  for (const kind of ["load", "pagehide", "pageshow", "click", "auxclick"]) addEventListener(kind, () => 0, true);
  document.addEventListener("prerenderingchange", () => 0);
  Object.defineProperty(window, "fbq", {configurable: true, get: () => 0});
  setTimeout(() => {
    addEventListener("storage", () => 0);
    document.cookie; performance.getEntriesByType("navigation")[0].name; document.referrer;
    for (const name of ["_fbp", "_fbc"]) document.cookie = name + "=1;path=/;max-age=60;domain=shop.example";
    document.cookie; localStorage._mt; localStorage._mt = "{}";
    fetch(endpoint, {method: "POST", body: "{}", keepalive: true}).then(({status, headers}) => {
      headers.get("x-relay-policy"); headers.get("x-relay-reason"); localStorage._mt; localStorage._mt = "";
    });
  });
})(document.currentScript.dataset)"""
)
CALL = "MetaTracking.track('ViewContent', {content_name: 'Kintsugi', content_category: 'craft'})"
PAGE = """<!doctype html><title>Shop</title><link rel=icon href=data:,>
<script src="/meta-tracking.js" data-endpoint="/events"></script><p>Courses</p><script src="/call.js"></script>"""
BUILDS = {"plain": "meta-tracking.min.js", "mirror": "meta-tracking.mirror.min.js"}


def rounds(n: int) -> dict[str, float]:
    """Median milliseconds of n pages each, by script; less the empty script's page, except that itself (`empty`).
    `call`: the call alone, of the plain build."""
    scripts = {name: (ROOT / "src" / file).read_text() for name, file in BUILDS.items()}
    scripts |= {"least": LEAST, "calls": CALLS, "empty": EMPTY}
    found: dict[str, list[float]] = {name: [] for name in (*scripts, "call")}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=SWITCHES)
        for turn in range(n + 1):  # the first warms what pages share
            for name, text in scripts.items():
                whole, call = _measure(browser, text)
                if turn:
                    found[name].append(whole)
                if turn and name == "plain":
                    found["call"].append(call)
        browser.close()
    medians = {name: statistics.median(times) for name, times in found.items()}
    return {name: time - medians["empty"] * (name not in ("empty", "call")) for name, time in medians.items()}


def gzipped(name: str) -> int:
    """Bytes of a build on the wire."""
    return len(gzip.compress((ROOT / "src" / BUILDS[name]).read_bytes(), 9))


def _measure(browser: Browser, source: str) -> tuple[float, float]:
    """Milliseconds of a fresh page's main thread: all script, and the call's."""
    context = browser.new_context()
    page = context.new_page()
    bodies = {"meta-tracking.js": source, "call.js": CALL, "events": "{}"}

    def answer(route: Route) -> None:
        name = urlsplit(route.request.url).path[1:]
        kind = "text/javascript" if name.endswith("js") else "text/html"
        route.fulfill(status=202 if name == "events" else 200, body=bodies.get(name, PAGE), content_type=kind)

    page.route("**/*", answer)
    browser.start_tracing(page=page, categories=list(TRACED))
    page.goto("http://www.shop.example/?fbclid=IwAR-bench", wait_until="networkidle")
    trace = json.loads(browser.stop_tracing())["traceEvents"]
    context.close()
    return _script_time(trace)


def _script_time(trace: list[dict[str, Any]]) -> tuple[float, float]:
    tasks = [event for event in trace if event["ph"] == "X" and event["name"] in COUNTED and "tdur" in event]
    ours = ("/meta-tracking.js", "/call.js")
    main = {(event["pid"], event["tid"]) for event in tasks if _address(event).endswith(ours)}
    whole, call, ends = 0, 0, 0
    for event in sorted(tasks, key=lambda event: (event["ts"], -event["dur"])):
        if (event["pid"], event["tid"]) not in main or event["ts"] < ends:
            continue
        ends = event["ts"] + event["dur"]
        if "pptr:" not in _address(event) and "__playwright" not in _address(event):
            whole += event["tdur"]
        if event["name"] == "EvaluateScript" and _address(event).endswith("/call.js"):
            call += event["tdur"]
    return whole * THROTTLED / 1e3, call * THROTTLED / 1e3


def _address(event: dict[str, Any]) -> str:
    return str(event.get("args", {}).get("data", {}).get("url", ""))
