"""The pages of the reference, from the code: `python -m tests.documents` writes them anew.

Verbs and alerts are written whole: their texts are the code's own. Settings and metrics are tables of which the code
knows the names and the facts, and a person the meaning (`tables.py`).
"""

import ast
from collections.abc import Callable
from pathlib import Path

import click
import yaml
from click.testing import CliRunner

from conversion_relay import cli
from conversion_relay.payments import PROVIDERS
from conversion_relay.settings import REQUIRED
from conversion_relay.settings.names import OF_ALL, SETTINGS
from tests.documents import names
from tests.documents.metrics import PACKAGE, metrics
from tests.documents.site import DOCS
from tests.documents.tables import in_order, kept, with_table

FOLDER = DOCS / "reference"
WIDTH = 100


def pages() -> dict[Path, str]:
    """Each page as it must be."""
    return {FOLDER / f"{name}.md": page() for name, page in PAGES.items()}


def write() -> list[Path]:
    changed = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    for path in changed:
        path.write_text(pages()[path], "utf-8")
    return changed


def verbs() -> str:
    lines = [
        "# Verbs",
        "",
        "Every verb of `conversion-relay`, as `--help` tells it. Which of them answers which question:",
        "[asking it, repairing it](../operations.md#asking-it-repairing-it). Written by `python -m tests.documents`.",
        "",
        "Exit codes: 0 it is well; 1 something was found or failed; 2 wrong usage; 78 wrong settings; 130 stopped.",
        "",
    ]
    for name in cli.verbs.list_commands(click.Context(cli.verbs)):
        lines += [f"## {name}", "", *_help(name)]
        command = cli.verbs.get_command(click.Context(cli.verbs), name)
        if isinstance(command, click.Group):
            for below in command.list_commands(click.Context(command)):
                lines += [f"### {name} {below}", "", *_help(name, below)]
    return "\n".join(lines)


def _help(*words: str) -> list[str]:
    done = CliRunner().invoke(
        cli.verbs, [*words, "--help"], prog_name="conversion-relay", max_content_width=WIDTH, terminal_width=WIDTH
    )
    return ["```text", done.output.strip(), "```", ""]


def alerts() -> str:
    rules = [
        rule for group in yaml.safe_load((DOCS / "alerts.yml").read_text("utf-8"))["groups"] for rule in group["rules"]
    ]
    lines = [
        "# Alerts",
        "",
        "The rules of [alerts.yml](../alerts.yml) for Prometheus; name that file under `rule_files`. `page` needs a",
        "person now, since events are being lost or will be; `ticket` can wait for the morning. Without Prometheus",
        "`RELAY_NOTIFY` tells of what needs one ([settings](settings.md)). Written by `python -m tests.documents`.",
        "",
    ]
    for rule in rules:
        said, waits = rule["annotations"], f", for {rule['for']}" if "for" in rule else ""
        lines += [
            f"## {rule['alert']}",
            "",
            f"{said['summary'].rstrip('.')}. **{rule['labels']['severity']}**",
            "",
            f"- When: `{' '.join(rule['expr'].split())}`{waits}",
            f"- What to do: {said['action']}",
            "",
        ]
    return "\n".join(lines)


def metrics_page() -> str:
    page = (FOLDER / "metrics.md").read_text("utf-8")
    known, written = metrics(), kept(page, "metrics")
    rows = [
        [
            f"`{name}`",
            written[name][1] if name in written else known[name].help,
            known[name].kind,
            ", ".join(f"`{label}`" for label in known[name].labels),
        ]
        for name in in_order(known, written)
    ]
    return with_table(page, "metrics", ("metric", "what it tells, and when to act", "kind", "labels"), rows)


def settings() -> str:
    page = (FOLDER / "settings.md").read_text("utf-8")
    written, defaults = kept(page, "settings"), _defaults()
    of = dict.fromkeys(OF_ALL, "all") | {name: setting.place for name, setting in SETTINGS.items()}
    of = {name: where for name, where in of.items() if name.startswith(("META_", "RELAY_"))}
    rows = []
    for name in in_order(of, written):
        _, meaning, default, _ = written.get(name, ["", "", "", ""])
        rows.append([f"`{name}`", meaning, f"`{defaults[name]}`" if name in defaults else default, of[name]])
    page = with_table(page, "settings", ("variable", "meaning", "default", "of"), rows)
    providers = [
        [
            row.title,
            *(f"`{text}`" if text else "" for text in (row.setting, row.url_setting or row.key_setting)),
            f"`{name.upper()}_ORDER_KEY`",
        ]
        for name, row in PROVIDERS.items()
    ]
    return with_table(page, "providers", ("provider", "what vouches", "address, key", "place of the order"), providers)


def settings_source() -> str:
    """The code that reads settings: a file, or the files of a room."""
    files = [*PACKAGE.glob("settings.py"), *sorted(PACKAGE.glob("settings/*.py"))]
    return "".join(path.read_text("utf-8") for path in [*files, PACKAGE / "payments" / "configured.py"])


def _defaults() -> dict[str, str]:
    """What the code takes where a variable is not set: `env.get(NAME, DEFAULT)`, `env.get(NAME) or DEFAULT`."""
    found = {}
    for node in ast.walk(ast.parse(settings_source())):
        match node:
            case ast.BoolOp(
                op=ast.Or(), values=[ast.Call(args=[ast.Constant(value=name)]), ast.Constant(value=default)]
            ):
                found[name] = default
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=name), ast.Constant(value=default)]):
                found[name] = default
    return {name: text for name, text in found.items() if text and name not in REQUIRED}


PAGES: dict[str, Callable[[], str]] = {
    "verbs": verbs,
    "alerts": alerts,
    "metrics": metrics_page,
    "settings": settings,
    "python": names.page,
}
