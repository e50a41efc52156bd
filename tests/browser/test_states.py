"""What the script may do with a visitor who said this and that, in any order: the table in its source, in Chromium."""

import json
import os
from random import Random

import pytest

from tests.browser.site import ROOT
from tests.browser.visitors import TABLE, Case, cases, play

pytestmark = pytest.mark.xdist_group("another browser")
HERE = ROOT / "tests/browser"
AT_ONCE = 100
SEED, MANY = int(os.environ.get("STATES_SEED", "20")), int(os.environ.get("STATES", "300"))
"""STATES=4000 STATES_SEED=7 plays every pair and 4,000 longer sequences."""


@pytest.fixture
def frames(browser):
    context = browser.new_context()
    page = context.new_page()
    page.route("**/*", lambda route: route.fulfill(status=200, content_type="text/html", body="<!doctype html><p>"))
    page.goto("http://www.shop.example/")
    page.add_script_tag(content=(HERE / "visitors.js").read_text())
    texts = {"snippet": HERE / "snippet.js", "pixel": ROOT / "conversion_relay/emulator/fbevents.js"}
    texts["script"] = ROOT / "src/meta-tracking.min.js"
    page.evaluate("texts => { window.texts = texts }", {name: path.read_text() for name, path in texts.items()})
    yield lambda some: json.loads(page.evaluate("play", json.dumps([one.page() for one in some])))
    context.close()


def complaints(case: Case, found: dict) -> list[str]:
    must = play(case)
    checks = {
        "server": dict(found["server"]) == must.to_server and len(found["server"]) == len(must.to_server),
        "pixel": dict(found["pixel"]) == must.to_pixel and len(found["pixel"]) == len(must.to_pixel),
        "withdrawn": must.withdrawn <= set(found["withdrawn"]),
        "stored": found["id"] if must.stored else not found["ours"],
        "never stored": must.was_stored or not found["baked"],
        "kept": bool(must.stored) or found["kept"] == 0,
        "errors": found["errors"] == [],
        "the same ids": found["same"],
    }
    return [f"{name}: {case} must be {must}, is {found}" for name, holds in checks.items() if not holds]


def test_the_table_answers_every_combination():
    """Four columns, each yes or no, `word` three: some row fits each, and each row is needed."""
    assert {row.state for row in TABLE} == {"denied", "held", "limited", "granted", "optedout", "open"}
    used = set()
    for word in ("no", "yes", "none"):
        for stopped, opt_out, held in ((a, b, c) for a in ("yes", "no") for b in ("yes", "no") for c in ("yes", "no")):
            now = {"word": word, "stopped": stopped, "opt_out": opt_out, "held": held}
            used.add(next(row for row in TABLE if row.fits(**now)))
    assert used == set(TABLE)


def test_signals_in_any_order_lead_where_the_table_says(frames):
    found: list[str] = []
    some = list(cases(Random(SEED), MANY, MANY))
    for begin in range(0, len(some), AT_ONCE):
        batch = some[begin : begin + AT_ONCE]
        for case, ended in zip(batch, frames(batch), strict=True):
            found += complaints(case, ended)
    assert len(some) > 700
    assert not found, f"{len(found)} in {len(some)}\n" + "\n".join(found[:3])
