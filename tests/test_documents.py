"""What the documents say works: their links, commands, settings, metrics and code."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conversion_relay import cli
from conversion_relay.collector import bots, copying
from conversion_relay.collector.hosted_mirror import HostedMirror
from conversion_relay.collector.metrics import render
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.delivery.transport import GraphTransport
from conversion_relay.delivery.turn import Delivery
from conversion_relay.event import SealedEvent
from conversion_relay.outbox import Counts, SideCounts, open_outbox
from conversion_relay.settings import Settings
from conversion_relay.telemetry import ERROR, FAILED, SENT, Counters
from tests import differences
from tests.processes import installation

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall((ROOT / page).read_text()) if kind == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.xdist_group("node")
def test_the_page_of_differences_is_what_the_packages_say_today(node):
    assert differences.PAGE.read_text("utf-8") == differences.page(), "run python -m tests.differences"


def test_every_make_target_and_verb_that_is_named_exists():
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^  make ([a-z-]+)", helped, re.MULTILINE))
    verbs = set(cli.verbs.list_commands(None))
    for page in PAGES:
        text = page.read_text()
        assert set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.M)) <= targets
        assert set(re.findall(r"conversion-relay ([a-z]+)", text)) <= verbs, page.name


def test_what_contributing_picks_out_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    ((file, word),) = re.findall(r"pytest (tests/\S+\.py) -k (\w+)", text)
    assert re.search(rf"def test_\w*{word}", (ROOT / file).read_text())
    (mistakes,) = re.findall(r"tests\.mutants --only (\w+)", text)
    assert re.search(rf'^name = ".*{mistakes}', (ROOT / "tests/mutants.toml").read_text(), re.MULTILINE)
    for path in re.findall(r"\btests/[\w/]+(?:\.\w+)?", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("verb", cli.verbs.list_commands(None))
def test_every_verb_explains_itself(verb):
    done = CliRunner().invoke(cli.verbs, [verb, "--help"])
    assert done.exit_code == 0 and len(done.output.splitlines()) > 4


def test_what_the_readme_shows_works(tmp_path):
    (python,) = blocks("README.md", "python")
    curl = next(line for line in blocks("README.md", "sh")[1].replace("\\\n", "").splitlines() if "curl" in line)
    body = shlex.split(curl)[shlex.split(curl).index("-d") + 1]
    with installation(tmp_path) as here:
        here.start()
        status, answer = here.post(json.loads(body))
        assert (status, answer["accepted"]) == (202, [{"index": 0, "event_id": "lead-1", "duplicate": False}])
        done = subprocess.run([sys.executable, "-c", python], env=here.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert here.books()["accepted"] == 1, "the same event id again is one event"
        asked = [line for line in blocks("README.md", "sh")[1].splitlines() if re.search(r"relay (?!serve)[a-z]", line)]
        ours = "\n".join(asked).replace(".venv/bin/conversion-relay", f"{sys.executable} -m conversion_relay")
        done = subprocess.run(["bash", "-c", ours], env=here.env, capture_output=True, text=True, check=False)
        assert len(asked) == 3 and not done.stderr and "it happened" in done.stdout and "2804009" in done.stdout


def test_the_tours_purchase_is_refused_as_it_says(tmp_path):
    (curl,) = blocks("docs/tour.md", "sh")
    words = shlex.split(curl.replace("\\\n", ""))
    with installation(tmp_path) as here:
        here.start("--no-worker")
        status, answer = here.post(json.loads(words[words.index("-d") + 1]))
    assert status == 422 and answer["refused"][0]["field"] == "custom_data.value"


def test_the_glossary_is_sorted_and_each_word_lives_in_a_file_that_says_it():
    rows = re.findall(
        r"^\| \*\*(.+?)\*\* \| (.+) \| `(.+?)` \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE
    )
    words = [word for word, _, _ in rows]
    assert len(words) > 40 and words == sorted(set(words))
    for word, _, file in rows:
        text = (ROOT / "conversion_relay" / file).read_text().lower()
        stem = word.removesuffix("d").removesuffix("e")
        assert any(form in text for form in (stem, stem.replace(" ", "_"), stem.replace(" ", ""))), (word, file)


def test_what_metrics_shows_is_in_the_reference_and_the_sentences_are_the_real_ones(tmp_path):
    text = (ROOT / "docs/operations.md").read_text()
    page = (ROOT / "docs/reference/metrics.md").read_text()
    settings, counters = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x"}), Counters()
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db")
    event = SealedEvent(dataset="1", event_name="Lead", event_id="a", event_time=1, expires_at=1, body=b"{}")
    outbox.put([event], 0.0)
    Delivery(outbox, GraphTransport(), settings, counters=counters).step()  # too old: nothing is sent
    outbox.close()
    HostedMirror(counters).reported("1")
    counters.add(bots.COUNTER, dataset="1", policy="mark")
    counters.add(copying.COUNTER, dataset="1", reason="consent_missing")
    books = {"1": Counts(pending=1, oldest_pending_at=1, nearest_expiry_at=1)}
    shown = render(counters, books, {"1": PaceNow(0.0, None, 0, 2)}, {"1": {"Lead": SideCounts(both=1)}}, 1.0)
    told = {*re.findall(r"^(relay_[a-z_]+)[ {]", shown, re.MULTILINE)}
    assert len(told) > 20
    for metric in told:  # tests/documents/test_reference.py compares the page with the code
        assert f"`{metric.removesuffix('_bucket').removesuffix('_count').removesuffix('_sum')}`" in page, metric
    assert set(re.findall(r"`(relay_[a-z_]+)", text)) <= set(re.findall(r"`(relay_[a-z_]+)", page))
    for sentence in (SENT, FAILED, ERROR):
        assert sentence.format("{EventName}") in text


@pytest.mark.parametrize("page", ["README.md", "docs/rooms.md"])
def test_the_line_that_decides_stands_in_the_file_that_the_page_names(page):
    """A table's row names a file in code marks, then a name in it; several of them in one row."""
    rows = [row for row in (ROOT / page).read_text().splitlines() if row.startswith("|") and ".py`" in row]
    named = [pair for row in rows for pair in re.findall(r"`([\w/]+\.py)`(?:: (?:the table )?| \| )`([\w.]+)`", row)]
    assert len(named) >= 6
    for file, name in named:
        text = (ROOT / "conversion_relay" / file).read_text()
        for part in name.split("."):
            assert re.search(rf"^\s*(async def|def|class) {part}\b|^{part}\b", text, re.MULTILINE), (file, name)
