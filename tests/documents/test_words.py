"""The documents are spelt right, their headings are where links say, and what they quote the program says."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.documents.site import DOCS, ROOT

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("examples/**/*.md")])
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
QUOTED = ("It does not start", "A page or program gets no 202", "Invalid signature")


def test_words_are_spelt_right():
    command = [sys.executable, "-m", "codespell_lib", *map(str, PAGES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_misspelt_word_would_be_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Whoever recieves this.\n")
    done = subprocess.run([sys.executable, "-m", "codespell_lib", str(page)], capture_output=True, check=False)
    assert done.returncode


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_link_to_a_heading_finds_it(page):
    """As GitHub names headings; the site's builder checks its own way."""
    for target, heading in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", CODE.sub("", page.read_text("utf-8"))):
        if "://" not in target:
            assert heading in headings(page.parent / target if target else page), f"{target}#{heading}"


@cache
def headings(page: Path) -> frozenset[str]:
    text = CODE.sub("", page.read_text("utf-8"))
    return frozenset(slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE))


def slug(heading: str) -> str:
    """
    >>> slug("A site's own `expect`, in CI")
    'a-sites-own-expect-in-ci'
    """
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def test_what_troubleshooting_quotes_is_what_the_program_says():
    page = (DOCS / "troubleshooting.md").read_text("utf-8")
    source = "".join(path.read_text("utf-8") for path in sorted((ROOT / "conversion_relay").rglob("*.py")))
    quoted = re.findall(r"^\| (?:\d{3} )?`([^`]+)`", page, re.MULTILINE)
    quoted += re.findall(r"`(signature_\w+)`", page) + re.findall(r"^\d\. `([^`]+)`", page, re.MULTILINE)[1:]
    assert len(quoted) > 12
    for text in quoted:
        assert text in source, text
    subcodes = {code for row in re.findall(r"^\| (2804\d{3}(?:, 2804\d{3})*) ", page, re.M) for code in row.split(", ")}
    assert len(subcodes) == 5 and all(code in source.replace("_", "") for code in subcodes)


def test_how_large_the_package_is_is_said_alike():
    measured = re.findall(r"^\| 3\.\d+ \| (\d+)\.\d MB", (DOCS / "packaging.md").read_text("utf-8"), re.MULTILINE)
    assert len(set(measured)) == 1
    for page in ("comparisons", "from-facebook-business"):
        assert re.findall(r"\b([\d.]+) MB", (DOCS / f"{page}.md").read_text("utf-8"))[-1] == measured[0], page


def test_each_symptom_of_the_first_orders_document_has_its_answer():
    page = (DOCS / "troubleshooting.md").read_text("utf-8")
    for symptom in ("Missing required environment variables", "Invalid signature", "No events", "Import errors"):
        assert symptom in page


def test_the_times_on_the_page_for_a_data_protection_officer_are_the_codes():
    from conversion_relay.aws import ledger as purchases
    from conversion_relay.dashboard import session
    from conversion_relay.meta.validate import OLDEST_DAYS
    from conversion_relay.outbox import audit, counting
    from conversion_relay.outbox.sqlite import ledger, sides, visits

    rows = dict(re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", (DOCS / "data-protection.md").read_text(), re.M))
    day = 86_400
    assert f"({OLDEST_DAYS['physical_store']} for a sale in a shop)" in rows["outbox: content of an event"]
    assert rows["outbox: dead letters"] == f"{ledger.DEAD_SECONDS // day} days"
    kept = visits.VISITOR_SECONDS // day, visits.LONG_SECONDS // day
    assert rows["outbox: visits, under an order's id"] == "{} days; {} where the visitor agreed or declined".format(
        *kept
    )
    assert rows["outbox: what the pixel reported"].startswith(f"{sides.PIXEL_SECONDS // day} days")
    assert rows["outbox: figures"] == f"{counting.KEPT_HOURS // 24} days"
    assert rows["`FILE-changes`"] == f"the newest {audit.MOST_BYTES // 1_000_000} MB"
    assert rows["dashboard"] == f"{session.LASTS // 3_600} hours"
    assert rows["in AWS instead: queue; its dead letters; ids of purchases that Meta has"].endswith(
        f"{purchases.KEEP_SECONDS // day} days"
    )
