"""The site of docs/: staged, built by Zensical, and beside each page its Markdown.

docs/ must read well as it is, on GitHub and in an editor, so nothing in it is written for the site's builder. What the
site needs beyond that happens to a copy:
- A link out of docs/ (to a unit file, to an example) has nothing to lead to on a site. The file is copied to `source/`
  as it is, and the link leads there.
- The decisions get a list of themselves.
- A drawing in Mermaid becomes a table of its arrows: the theme would fetch a script of 3 MB from a third party.
- A page that the navigation of mkdocs.yml does not name is put under "More": it must be found, and whoever adds a page
  need not know this file.
- Each page gets a twin, page.md beside page.html, and /llms.txt lists them (https://llmstxt.org/).

A link to a page or a heading that is not there ends the build (`--strict`).
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FOLDER = ROOT / "build" / "docs"
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
DRAWING = re.compile(r"^```mermaid\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
ARROW = re.compile(r"^\s*(\S+) --> (\S+?)(?:: (.+))?$", re.MULTILINE)
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
LEFT_OUT = ("source/", "images/")
SUMMARY = (
    "A self-hosted relay of conversion events to Meta's Conversions API, in Python: durable before the 2xx, "
    "hashed at the door, delivered through every outage, under the same event id as the browser's pixel."
)


class BuildError(Exception):
    """What the builder said about the pages."""


def build(folder: Path, docs: Path = DOCS) -> Path:
    """Stages and builds in `folder`, whose former content goes. The site's folder; raises BuildError."""
    shutil.rmtree(folder, ignore_errors=True)
    staged = folder / "docs"
    stage(staged, docs)
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    config["nav"] = [*config["nav"], *more(staged, config["nav"])]
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(folder / "mkdocs.yml")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr).partition("Traceback")[0]
        raise BuildError(said)
    site = folder / "site"
    for page in sorted(staged.rglob("*.md")):
        _twin(page, _name(page, staged), site)
    (site / "llms.txt").write_text(llms(staged, config["nav"]), "utf-8")
    return site


def _twin(page: Path, name: str, site: Path) -> None:
    """The page as Markdown beside the page, which names it."""
    shutil.copyfile(page, site / name)
    html = site / (name.removesuffix("README.md") + "index.html" if page.name == "README.md" else name[:-3] + ".html")
    link = f'<link rel="alternate" type="text/markdown" href="{page.name}"></head>'
    html.write_text(html.read_text("utf-8").replace("</head>", link, 1), "utf-8")


def stage(staged: Path, docs: Path) -> None:
    shutil.copytree(docs, staged)
    (staged / "adr").mkdir(exist_ok=True)
    (staged / "adr" / "decisions.md").write_text(_decisions(staged), "utf-8")
    for page in sorted(staged.rglob("*.md")):
        name = _name(page, staged)
        text = DRAWING.sub(lambda found: in_words(found[1]), page.read_text("utf-8"))
        page.write_text(LINK.sub(lambda found, name=name: _inside(found, name, staged), text), "utf-8")


def _inside(found: "re.Match[str]", page: str, staged: Path) -> str:
    """The link, or one to a copy of the file under `source/` where it leads out of docs/.

    A folder has no copy: its README.md stands for it, or the link ends the build."""
    before, target, after = found.groups()
    if "://" in target or target.startswith(("mailto:", "/")):
        return found[0]
    path = normpath(f"docs/{Path(page).parent.as_posix()}/{target}")
    if path.startswith("docs/"):
        return found[0]
    file = ROOT / path
    if file.is_dir() and (file / "README.md").exists():
        file = file / "README.md"
    if not file.is_file():
        raise BuildError(f"{page}: {target} is no file")
    # As Markdown it would become a page, whose own links lead to what is not here.
    name = f"source/{file.relative_to(ROOT).as_posix()}{'.txt' if file.suffix == '.md' else ''}"
    (staged / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, staged / name)
    return f"{before}{relpath(name, Path(page).parent.as_posix())}{after}"


def in_words(drawing: str) -> str:
    r"""A table of a drawing's arrows, by where they begin.

    >>> print(in_words('flowchart TD\n  a["A"]\n  a --> b\n  a --> c\n'))
    | from | to |
    |---|---|
    | `A` | `b`, `c` |
    <BLANKLINE>
    >>> print(in_words("stateDiagram-v2\n  [*] --> kept: put\n  kept --> [*]: after a day\n"))
    | from | to | when |
    |---|---|---|
    | the beginning | kept | put |
    | kept | the end | after a day |
    <BLANKLINE>
    """
    names = dict(re.findall(r'^\s*(\w+)\["(.+?)"\]', drawing, re.MULTILINE))
    arrows = ARROW.findall(drawing)
    if any(why for _, _, why in arrows):
        rows = [("from", "to", "when"), ("---",) * 3]
        rows += [(at.replace("[*]", "the beginning"), to.replace("[*]", "the end"), why) for at, to, why in arrows]
        return "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("| --- | --- | --- |", "|---|---|---|")
    targets: dict[str, list[str]] = {}
    for at, to, _ in arrows:
        targets.setdefault(f"`{names.get(at, at)}`", []).append(f"`{names.get(to, to)}`")
    return "| from | to |\n|---|---|\n" + "".join(f"| {at} | {', '.join(to)} |\n" for at, to in targets.items())


def _decisions(staged: Path) -> str:
    rows = [f"- [{title(path)}]({path.name})" for path in sorted((staged / "adr").glob("[0-9]*.md"))]
    return "\n".join(["# Decisions", "", "What was decided, why, and what was rejected.", "", *rows, ""])


def more(staged: Path, nav: list[Any]) -> list[dict[str, list[str]]]:
    named = set(leaves(nav))
    pages = sorted(_name(path, staged) for path in staged.rglob("*.md"))
    missing = [page for page in pages if page not in named and not page.startswith(("adr/", *LEFT_OUT))]
    return [{"More": missing}] if missing else []


def leaves(nav: Any) -> Iterator[str]:
    """The pages that a navigation names, in its order.

    >>> list(leaves([{"Start": ["a.md", {"B": "b.md"}]}]))
    ['a.md', 'b.md']
    """
    if isinstance(nav, str):
        yield nav
    elif nav is not None:
        for item in nav.values() if isinstance(nav, dict) else nav:
            yield from leaves(item)


def llms(staged: Path, nav: list[Any]) -> str:
    """/llms.txt: each part of the navigation with its pages, each with its first sentence."""
    lines = ["# Conversion Relay", "", f"> {SUMMARY}", ""]
    for part in nav:
        ((heading, pages),) = part.items()
        lines += [f"## {heading}", ""]
        for page in leaves(pages):
            lines.append(f"- [{title(staged / page)}]({page}): {first_sentence((staged / page).read_text('utf-8'))}")
        lines.append("")
    return "\n".join(lines)


def title(page: Path) -> str:
    found = TITLE.search(page.read_text("utf-8"))
    if not found:
        raise BuildError(f"{page.name}: a page begins with its title, as in '# Title'")
    return found[1].strip()


def first_sentence(text: str) -> str:
    r"""The first sentence of the first paragraph below the title, without marks.

    >>> first_sentence("# T\n\n## Part\n\nFrom **nothing** to [a service](x.md). As root.\n")
    'From nothing to a service.'
    """
    body = re.sub(r"^```.*?^```$", "", TITLE.sub("", text, count=1), flags=re.MULTILINE | re.DOTALL)
    kinds = ("#", "|", "<", "!", "- ", ">")
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", body)]
    prose = next((part for part in paragraphs if part and not part.startswith(kinds)), "")
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(prose.split())).replace("**", "").replace("`", "")
    found = re.match(r".+?[.:](?= |$)", plain)
    return (found[0] if found else plain).rstrip(":")


def _name(page: Path, staged: Path) -> str:
    return page.relative_to(staged).as_posix()
