"""The reference is what the code says, and says something about each of its names."""

import ast
import re

import pytest

import conversion_relay
from conversion_relay import cli
from conversion_relay.collector.meanings import MEANINGS
from conversion_relay.collector.metrics import render
from conversion_relay.payments import PROVIDERS
from conversion_relay.telemetry import Counters
from tests.documents import reference
from tests.documents.metrics import PACKAGE, metrics
from tests.documents.site import DOCS
from tests.documents.tables import kept
from tests.test_alerts import RULES

FOLDER = DOCS / "reference"


@pytest.mark.parametrize("name", sorted(reference.PAGES))
def test_a_page_is_what_the_code_says_today(name):
    assert (FOLDER / f"{name}.md").read_text("utf-8") == reference.PAGES[name](), "run python -m tests.documents"


@pytest.mark.parametrize("name", ["settings", "metrics"])
def test_each_row_says_what_its_name_is_for(name):
    rows = kept((FOLDER / f"{name}.md").read_text("utf-8"), name)
    without = [row for row, cells in rows.items() if len(cells[1]) < 5]
    assert len(rows) > 30 and not without, f"write in docs/reference/{name}.md what these are for"


def test_every_setting_that_the_code_reads_has_a_row():
    """Looked for in the source, so that the code's own list of names is checked as well."""
    page = (FOLDER / "settings.md").read_text("utf-8")
    assert set(re.findall(r'"((?:META|RELAY)_[A-Z_]+)"', reference.settings_source())) <= kept(page, "settings").keys()
    assert all(f"`{row.setting}`" in page for row in PROVIDERS.values())
    assert f"{_word(len(PROVIDERS))} kinds built in" in (DOCS / "comparisons.md").read_text("utf-8")


def _word(n: int) -> str:
    return {9: "nine", 10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen"}[n]


def test_every_verb_metric_and_alert_has_its_place():
    verbs, alerts = (FOLDER / "verbs.md").read_text("utf-8"), (FOLDER / "alerts.md").read_text("utf-8")
    assert re.findall(r"^## (\w+)$", verbs, re.MULTILINE) == list(cli.verbs.list_commands(None))
    assert re.findall(r"^## (\w+)$", alerts, re.MULTILINE) == [rule["alert"] for rule in RULES]
    named = {name for rule in RULES for name in re.findall(r"relay_[a-z0-9_]+", rule["expr"])}
    assert named <= metrics().keys()


def test_a_metric_is_read_from_the_code_however_its_name_is_made():
    found = metrics()
    assert found["relay_accepted_total"].kind == "counter" and found["relay_accepted_total"].labels == ("dataset",)
    assert {"relay_delivery_held_total", "relay_ambiguous_late_total", "relay_bot_events_total"} <= found.keys()
    assert {"relay_events_duplicate_total", "relay_view_content_rejected_total", "relay_wal_bytes"} <= found.keys()
    assert found["relay_send_duration_seconds"].kind == "histogram"
    assert "relay_delivery_ambiguous_total" not in found, "the names of one loop are not those of another"


def test_every_metric_says_on_its_own_what_it_tells():
    """Who looks at /metrics has no page of ours."""
    found = metrics().values()
    assert not [metric.name for metric in found if metric.help in ("", metric.name) and metric.name not in PUT_TOGETHER]
    assert MEANINGS.keys() <= metrics().keys(), "a meaning without a metric"
    counters = Counters()
    for name in MEANINGS:
        if metrics()[name].kind == "histogram":
            counters.observe(name, 0.1)
        else:
            counters.add(name)
    told = re.findall(r"^# HELP (relay_(?!build_info)\S+) (.*)$", render(counters, {}, {}, {}, 0.0), re.MULTILINE)
    assert len(told) >= len(MEANINGS)
    assert not [name for name, text in told if text.startswith("relay_") or len(text.split()) < 3]


PUT_TOGETHER = {"relay_db_bytes", "relay_wal_bytes", "relay_build_info"}
"""Their words are put together as they are made."""


def test_no_message_names_a_file_of_the_repository():
    """Who installed the package has none of them: a message says what to do. Docstrings are for readers of the code."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
                found += [f"{path.name}:{node.lineno}" for _ in REPOSITORY.findall(node.value)]
    for path in (*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.js")):
        shown = NOTES.sub("", path.read_text("utf-8"))
        found += [path.name for _ in REPOSITORY.findall(shown)]
    assert not found


REPOSITORY = re.compile(r"(?<![\w./])(?:docs|tests|deploy|examples|bench)/[\w-]|\b[A-Z]{6,}\.md")
NOTES = re.compile(r"\{#.*?#\}|<!--.*?-->|/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)
"""Of a template or a script; nobody is shown them."""


def test_every_public_name_has_its_words():
    parts = re.split(r"^## ", (FOLDER / "python.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
    told = {part.partition("\n")[0]: part for part in parts}
    assert set(told) == set(conversion_relay.__all__)
    assert "### Relay.testing" in told["Relay"] and "### Relay.remember" in told["Relay"], "inherited ones, too"
    assert "- `event_time: int | float | None = None`: Unix seconds" in told["Event"]
