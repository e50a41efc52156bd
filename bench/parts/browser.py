"""What the script costs a page: the main thread's time, beside the least that such a script can do."""

import shutil

from bench import browser
from bench.part import Comparison, Contestant, Form, Found, Part

OURS = "ours"


def contestants(form: Form) -> list[Contestant]:
    missing = (
        ""
        if shutil.which("chromium") or shutil.which("google-chrome")
        else "not installed: Chromium (Debian: apt-get install chromium)"
    )
    return [Contestant(OURS, lambda: measured(form.count(1, 15)), missing)]


def measured(pages: int) -> Found:
    """A round is several fresh pages of one browser."""
    times = {f"{name}_ms": time for name, time in browser.rounds(pages).items()}
    return times | {f"{name}_bytes": float(browser.gzipped(name)) for name in browser.BUILDS}


PART = Part(
    name="browser",
    title="browser: load and one event, CPU time of the main thread times 4",
    contestants=contestants,
    comparisons=(
        Comparison(label="the script, to the least script", of=(OURS, "plain_ms"), baseline=(OURS, "least_ms")),
        Comparison(label="with the mirror, to the least", of=(OURS, "mirror_ms"), baseline=(OURS, "least_ms")),
        Comparison(label="the script, to its browser calls", of=(OURS, "plain_ms"), baseline=(OURS, "calls_ms")),
        Comparison(label="the script", of=(OURS, "plain_ms"), baseline=None, unit="ms"),
        Comparison(label="the script with the mirror", of=(OURS, "mirror_ms"), baseline=None, unit="ms"),
        Comparison(label="the least script", of=(OURS, "least_ms"), baseline=None, unit="ms"),
        Comparison(label="its browser calls alone", of=(OURS, "calls_ms"), baseline=None, unit="ms"),
        Comparison(label="the call keeps its caller", of=(OURS, "call_ms"), baseline=None, unit="ms"),
        Comparison(label="size, gzipped", of=(OURS, "plain_bytes"), baseline=None, unit="bytes"),
        Comparison(label="size with the mirror", of=(OURS, "mirror_bytes"), baseline=None, unit="bytes"),
    ),
    watched=((OURS, "least_ms"),),
    full_rounds=5,
)
