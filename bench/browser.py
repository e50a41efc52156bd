"""What the script costs a page: bytes, and the main thread's time for loading it and reporting one event.

In fresh pages of the system's Chromium, which take turns: both builds, an empty script, the least script that does
what none can do without (a look at cookies and storage, one request), and one that does nothing but call the browser
as ours does: its settings, its listeners, both ids written and read back, the queue kept and emptied. The time is that
of Chromium's own trace: the main thread's outermost tasks that run script (evaluation with compilation, timers,
listeners, promises), each by the thread's CPU clock (`tdur`), and times four. Chromium's own throttling is not used: it
halts the thread by the wall clock and within the thread's CPU time, so that a busy machine makes both of them several
times longer. Of each the time of the empty script's page is taken off; the other two show what of the rest is the
browser's floor.

Nothing drives the pages, and they are of a real server: for whoever watches a page's requests, V8 notes the stack of
each, and parses every function on it once more, which takes longer than our functions do.
"""

import gzip
import json
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.sync_api import CDPSession, sync_playwright

from tests.browser.chromium import SWITCHES, chromium_path
from tests.browser.site import ROOT

THROTTLED = 4
"""A phone's CPU, by that of this machine."""
TRACED = ("devtools.timeline", "v8")
COUNTED = {"EvaluateScript", "v8.compile", "FunctionCall", "TimerFire", "EventDispatch", "RunMicrotasks"}
LEAVING = {"pagehide", "visibilitychange", "unload"}
"""Events of a page that is closed, which is the bench's doing."""
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
<body onload="document.title = 'loaded'">
<script src="meta-tracking.js" data-endpoint="events"></script><p>Courses</p><script src="call.js"></script>"""
"""Its title says that its scripts have run: whoever asks for a title need not watch the page."""
QUIET = 0.4
"""Seconds after the page is loaded and its event answered: by then the script has read the answer."""
PATIENCE = 60.0
"""Seconds for a page to come so far, on a machine that is busy with other things."""
BUILDS = {"plain": "meta-tracking.min.js", "mirror": "meta-tracking.mirror.min.js"}


def rounds(n: int) -> dict[str, float]:
    """Median milliseconds of n pages each, by script; less the empty script's page, except that itself (`empty`).
    `call`: the call alone, of the plain build."""
    scripts = {name: (ROOT / "src" / file).read_text() for name, file in BUILDS.items()}
    scripts |= {"least": LEAST, "calls": CALLS, "empty": EMPTY}
    times = _measure(scripts, n + 1)
    medians = {name: statistics.median(whole for whole, _ in pages[1:]) for name, pages in times.items()}
    less = {name: median - medians["empty"] * (name != "empty") for name, median in medians.items()}
    return less | {"call": statistics.median(call for _, call in times["plain"][1:])}


def gzipped(name: str) -> int:
    """Bytes of a build on the wire."""
    return len(gzip.compress((ROOT / "src" / BUILDS[name]).read_bytes(), 9))


def _measure(scripts: dict[str, str], n: int) -> dict[str, list[tuple[float, float]]]:
    """Of each script's n pages, which take turns and of which the first warms what they share: milliseconds of all
    script on the main thread, and of the call."""
    answered: set[str] = set()
    with _server(scripts, answered) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=SWITCHES)
        session = browser.new_browser_cdp_session()
        browser.start_tracing(categories=list(TRACED))
        for page in [f"/{name}/{turn}/" for turn in range(n) for name in scripts]:
            context = session.send("Target.createBrowserContext")
            url = f"http://www.shop.example:{port}{page}?fbclid=IwAR-bench"
            target = session.send("Target.createTarget", {"url": url, **context})
            posts = not page.startswith("/empty/")
            until = time.monotonic() + PATIENCE
            while not _loaded(session, target) or (posts and page not in answered):
                if time.monotonic() > until:
                    raise TimeoutError(f"{page} is not loaded, or its event not sent, after {PATIENCE:.0f} s")
                time.sleep(0.01)
            time.sleep(QUIET)
            session.send("Target.disposeBrowserContext", context)
        trace = json.loads(browser.stop_tracing())["traceEvents"]
        browser.close()
    times = _script_times(trace)
    return {name: [times[f"/{name}/{turn}/"] for turn in range(n)] for name in scripts}


def _loaded(session: CDPSession, target: dict[str, Any]) -> bool:
    told = session.send("Target.getTargetInfo", target)
    return bool(told["targetInfo"]["title"] == "loaded")


@contextmanager
def _server(scripts: dict[str, str], answered: set[str]) -> Iterator[int]:
    """Its port. A page's address is /SCRIPT/NUMBER/; `answered` takes it when its event was."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _, script, _, name = self.path.split("?")[0].split("/")
            kind = "text/javascript" if name else "text/html"
            self._answer(200, kind, {"": PAGE, "call.js": CALL}.get(name) or scripts[script])

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(202, "application/json", "{}")
            answered.add(self.path.removesuffix("events"))

        def _answer(self, status: int, kind: str, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def _script_times(trace: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """By page. Each has a process of its own, since no two of them share a browser context."""
    tasks = [event for event in trace if event["ph"] == "X" and event["name"] in COUNTED and "tdur" in event]
    pages = {_thread(event): _page(event) for event in tasks if _address(event).endswith("/meta-tracking.js")}
    whole: dict[str, float] = defaultdict(float)
    call: dict[str, float] = defaultdict(float)
    ends: dict[tuple[int, int], int] = defaultdict(int)
    for event in sorted(tasks, key=lambda event: (event["ts"], -event["dur"])):
        thread, spent = _thread(event), event["tdur"] * THROTTLED / 1e3
        if thread not in pages or event["ts"] < ends[thread] or _data(event).get("type") in LEAVING:
            continue
        ends[thread] = event["ts"] + event["dur"]
        whole[pages[thread]] += spent
        if event["name"] == "EvaluateScript" and _address(event).endswith("/call.js"):
            call[pages[thread]] += spent
    return {page: (whole[page], call[page]) for page in pages.values()}


def _thread(event: dict[str, Any]) -> tuple[int, int]:
    return event["pid"], event["tid"]


def _page(event: dict[str, Any]) -> str:
    return "/" + "/".join(_address(event).split("/")[3:5]) + "/"


def _address(event: dict[str, Any]) -> str:
    return str(_data(event).get("url", ""))


def _data(event: dict[str, Any]) -> dict[str, Any]:
    return event.get("args", {}).get("data", {})
