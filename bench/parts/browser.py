"""What the script costs a page: the main thread's time, beside the least that such a script can do."""

import shutil
import statistics

from bench import browser
from bench.part import Comparison, Contestant, Form, Found, Part

OURS = "ours"


def contestants(form: Form) -> list[Contestant]:
    missing = (
        ""
        if shutil.which("chromium") or shutil.which("google-chrome")
        else "not installed: Chromium (Debian: apt-get install chromium)"
    )
    return [Contestant(OURS, lambda: measured(form.count(4, 15)), missing)]


def measured(pages: int) -> Found:
    """A round is several fresh pages of one browser."""
    whole, call, least, empty = (statistics.median(row) for row in zip(*browser.rounds(pages), strict=True))
    return {"ms": whole, "call_ms": call, "least_ms": least, "empty_ms": empty, "gzip_bytes": float(browser.gzipped())}


PART = Part(
    name="browser",
    title="browser: meta-tracking.min.js, 4x CPU throttling",
    contestants=contestants,
    comparisons=(
        Comparison(label="load and one event, to the least script", of=(OURS, "ms"), baseline=(OURS, "least_ms")),
        Comparison(label="the call keeps its caller", of=(OURS, "call_ms"), baseline=None, unit="ms"),
        Comparison(label="size, gzipped", of=(OURS, "gzip_bytes"), baseline=None, unit="bytes"),
    ),
    watched=((OURS, "empty_ms"),),
    full_rounds=5,
)
