"""The page of public Python names, from their definitions: signatures, members, docstrings.

Read from the source and not from the objects: so it is the same under every Python, and a member keeps the words that
stand below it in its class.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import conversion_relay

FIRST = ("Relay", "Event", "UserData", "CustomData", "Content", "RequestFacts", "Tracked", "Sent", "Settings")
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
"""Of a class, or of one function."""


def page() -> str:
    names = [*FIRST, *(name for name in sorted(conversion_relay.__all__, key=str.lower) if name not in FIRST)]
    lines = [
        "# Python names",
        "",
        "What `from conversion_relay import ...` gives; these names stay. How they are used together: [in your own",
        "program](../library.md). Written from the docstrings by `python -m tests.documents`.",
        "",
        "`type_of_id` is a text, a whole number or a UUID; `type_of_ids` several; `type_of_text` one or several, bytes",
        "in UTF-8 and dates, too; `type_of_amount` a number or a `Decimal`.",
        "",
    ]
    for name in names:
        found = getattr(conversion_relay, name)
        lines += [f"## {name}", ""]
        if inspect.isclass(found):
            ours = [kind for kind in found.__mro__ if kind.__module__.startswith("conversion_relay")]
            lines += _class([_definition(kind, kind.__name__) for kind in ours])
        elif inspect.isfunction(found):
            lines += _told(_definition(found, name), "")
        else:
            lines += [f"`{found!r}`", ""]
    return "\n".join(lines)


def _definition(found: object, name: str) -> Definition:
    source = inspect.getsourcefile(inspect.unwrap(found))  # type: ignore[arg-type]
    tree = ast.parse(Path(source).read_text("utf-8"))  # type: ignore[arg-type]
    return next(node for node in ast.walk(tree) if isinstance(node, Definition) and node.name == name)


def _class(nodes: list[Definition]) -> Iterator[str]:
    """`nodes`: the class, then those of ours that it is made of."""
    methods: dict[str, Definition] = {}
    for node in nodes:
        for part in _methods(node.body):
            methods.setdefault(part.name, part)
    if made := methods.get("__init__"):
        yield from _signature(made, nodes[0].name)
    yield from _prose(ast.get_docstring(nodes[0]) or "")
    if members := [row for node in nodes for row in _members(node)]:
        yield from (*members, "")
    for name, method in methods.items():
        if not name.startswith("_"):
            yield from (f"### {nodes[0].name}.{name}", "")
            yield from _told(method, f"{nodes[0].name}.")


def _methods(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Of a method that checkers see in another form, that form with the words of the real one."""
    for part in body:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            yield part
        elif isinstance(part, ast.If):
            for seen, real in zip(_methods(part.body), _methods(part.orelse), strict=True):
                seen.body = real.body
                yield seen


def _told(node: Definition, of: str) -> Iterator[str]:
    yield from _signature(node, of + node.name)
    yield from _prose(ast.get_docstring(node) or "")


def _signature(node: Definition, name: str) -> list[str]:
    is_value = any("property" in ast.unparse(decorator) for decorator in node.decorator_list)
    text = "" if is_value else f"({_arguments(node.args, len(name))})"
    before = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    after = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
    return ["```python", f"{before}{name}{text}{after}", "```", ""]


def _arguments(node: ast.arguments, before: int) -> str:
    """Without the object itself; one to a line where one line is too long for a page."""
    text = re.sub(r"^(?:self|cls)(?:, |$)", "", ast.unparse(node))
    if before + len(text) < 70:
        return text
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return "".join(f"\n    {part.strip()}," for part in parts) + "\n"


def _members(node: ast.ClassDef) -> Iterator[str]:
    """Of a value: each with its type, its default, and the words below it."""
    for part, below in _with_words(node.body):
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name) and part.target.id[0] != "_":
            default = f" = {ast.unparse(part.value)}" if part.value else ""
            words = ""
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                words = ": " + " ".join(str(below.value.value).split())
            yield f"- `{part.target.id}: {ast.unparse(part.annotation)}{default}`{words}"


def _with_words(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """Each part, and what stands below it. Of members that checkers see in another form, the real one with the words
    of that form, which an editor shows."""
    for part, below in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(part, ast.If):
            words = [below for one, below in _with_words(part.body) if isinstance(one, ast.AnnAssign)]
            yield from zip((one for one in part.orelse if isinstance(one, ast.AnnAssign)), words, strict=True)
        else:
            yield part, below


def _prose(docstring: str) -> Iterator[str]:
    """Paragraphs as they are; an example, or what stands indented, as code.

    `python-console` is `pycon` under a name of which `ruff format` leaves the contents as they are."""
    for paragraph in re.split(r"\n\s*\n", docstring):
        if paragraph.startswith(">>>"):
            yield from ("```python-console", paragraph, "```", "")
        elif re.search(r"^    ", paragraph, re.MULTILINE) or "──" in paragraph:
            yield from ("```text", paragraph, "```", "")
        elif paragraph and "150 lines" not in paragraph:  # why a class is long is for its reader in the source
            yield from (paragraph, "")
