"""The site builds, every page has its twin, and whoever reads it is told to nobody."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from playwright.sync_api import sync_playwright

from tests.browser.chromium import SWITCHES, shell_path
from tests.documents import site
from tests.documents.site import DOCS, ROOT

pytestmark = pytest.mark.xdist_group("site")  # built once


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return site.build(tmp_path_factory.mktemp("site"))


def test_every_page_is_there_as_a_page_and_as_markdown(built):
    for page in sorted(DOCS.rglob("*.md")):
        name = page.relative_to(DOCS)
        as_page = name.with_name("index.html") if name.name == "README.md" else name.with_suffix(".html")
        text = (built / as_page).read_text("utf-8")
        assert (built / name).is_file() and f'type="text/markdown" href="{name.name}"' in text, name
        assert site.title(page).replace("`", "")[:8] in text, name


def test_llms_txt_lists_every_page_by_its_twin_and_says_what_it_is_about(built):
    lines = (built / "llms.txt").read_text("utf-8").splitlines()
    assert lines[0] == "# Conversion Relay" and lines[2].startswith("> ")
    listed = dict(re.findall(r"^- \[[^\]]+\]\(([^)]+)\): (\S.+)$", "\n".join(lines), re.MULTILINE))
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if page.parent.name != "adr"}
    assert set(listed) == pages | {"adr/decisions.md"}
    assert all((built / name).is_file() for name in listed)


def test_a_page_that_the_navigation_does_not_name_is_found_all_the_same(tmp_path):
    docs = shutil.copytree(DOCS, tmp_path / "docs")
    (docs / "new.md").write_text("# New\n\nA page.\n")
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert "new.md" in list(site.leaves([*nav, *site.more(docs, nav)]))
    assert set(site.leaves(nav)) - {"adr/decisions.md"} <= {
        page.relative_to(docs).as_posix() for page in docs.rglob("*.md")
    }


def test_reading_a_page_is_told_to_nobody(built):
    """No script, style, font or picture of somebody else's; links are the reader's choice."""
    for page in built.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r"<(?:script|img|iframe|source)[^>]+src=[\"']?(?:https?:)?//", text), page
        for link in re.findall(r"<link[^>]+>", text):
            assert not re.search(r"href=[\"']?(?:https?:)?//", link), (page, link)
        assert "stateDiagram" not in text and "flowchart TD" not in text, "a drawing needs somebody's script"


def test_a_page_fits_a_telephone_and_the_officers_page_is_paper(built):
    # In a thread: another Playwright may be open in this one, and two are an error.
    with ThreadPoolExecutor(1) as thread:
        widths, asked, paper = thread.submit(looked_at, built, shell_path()).result()
    assert all(width <= 390 for width in widths.values()), widths
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked), asked
    assert paper.startswith(b"%PDF") and 2 <= int(re.search(rb"/Count (\d+)", paper)[1]) <= 5


def looked_at(built, chromium):
    """From the folder, without a server: how wide each page is, what was asked for, one page as a PDF."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        page = browser.new_page(viewport={"width": 390, "height": 844})
        asked, widths = [], {}
        page.on("request", lambda request: asked.append(request.url))
        for name in ("index", "comparisons", "reference/settings", "data-protection"):
            page.goto((built / f"{name}.html").as_uri())
            widths[name] = page.evaluate("document.documentElement.scrollWidth")
        paper = page.pdf(format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "15mm"))
        browser.close()
    return widths, asked, paper


def test_words_of_a_page_can_be_searched_for(built):
    text = (built / "search.json").read_text("utf-8")
    assert "RELAY_CONSENT" in text and "relay_ledger_imbalance" in text and "data protection officer" in text


def test_a_link_to_nothing_ends_the_build(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "README.md").write_text("# Home\n\n[there](#not-there)\n")
    with pytest.raises(site.BuildError, match="anchor does not exist"):
        site.build(tmp_path / "built", docs)
    (docs / "README.md").write_text("# Home\n\n[out](../nowhere.py)\n")
    with pytest.raises(site.BuildError, match="is no file"):
        site.build(tmp_path / "built", docs)
