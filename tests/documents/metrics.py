"""Every metric that the code can show, read from the code: name, kind, labels.

A run would show only what happened in it. So the calls that make a metric are looked for: the families that /metrics is
made of, and `add`, `observe` and `counter` with a name that begins with `relay_`. A name that is put together is read
with each text that its parts can have.
"""

import ast
from collections.abc import Iterator
from itertools import product

import msgspec

from conversion_relay.collector.meanings import MEANINGS
from tests.documents.site import ROOT

PACKAGE = ROOT / "conversion_relay"
ROUTES = ("events", "view_content", "visitors", "withdraw")
"""What `door.py` puts into a name: the routes that an app serves, and nobody else's."""
KINDS = {"GaugeMetricFamily": "gauge", "CounterMetricFamily": "counter", "HistogramMetricFamily": "histogram"}
COUNTED = {"add": "counter", "counter": "counter", "observe": "histogram"}
Known = dict[str, list[str]]
"""By a name of a file, the texts that it can stand for."""


class Metric(msgspec.Struct, frozen=True, order=True):
    name: str
    kind: str
    labels: tuple[str, ...]
    help: str = ""


def metrics() -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text("utf-8")
        if "relay_" in text:
            tree = ast.parse(text)
            for metric in _below(tree, _constants(tree)):
                found.setdefault(metric.name, metric)
    return found


def _below(node: ast.AST, known: Known) -> Iterator[Metric]:
    """`known` grows in the body of a loop over texts, and only there."""
    match node:
        case ast.Call():
            yield from _of(node, known)
        case ast.For(target=ast.Name(id=name), iter=ast.Tuple(elts=parts)):
            known = {**known, name: _plain(parts)}
        case ast.For(target=ast.Tuple(elts=[ast.Name(id=name), *_]), iter=ast.Tuple(elts=parts)):
            known = {**known, name: _plain([part.elts[0] for part in parts if isinstance(part, ast.Tuple)])}
    for child in ast.iter_child_nodes(node):
        yield from _below(child, known)


def _of(call: ast.Call, known: Known) -> Iterator[Metric]:
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    kind = KINDS.get(function) or COUNTED.get(function)
    if not call.args or kind is None:
        return
    names = [name for name in _texts(call.args[0], known) if name.startswith("relay_")]
    for name in names:
        if function in KINDS:
            labels = next((kw.value for kw in call.keywords if kw.arg == "labels"), ast.List(elts=[]))
            if not isinstance(labels, ast.List):
                continue  # a family of whatever was counted, each where it is counted
            told = tuple(ast.literal_eval(labels))
            total = "_total" if kind == "counter" and not name.endswith("_total") else ""
            told_help = call.args[1].value if isinstance(call.args[1], ast.Constant) else ""
            yield Metric(name + total, kind, told, str(told_help))
        else:
            counted = "gauge" if name.endswith("_timestamp_seconds") else kind
            labels = tuple(sorted(kw.arg for kw in call.keywords if kw.arg and kw.arg != "n"))
            yield Metric(name, counted, labels, MEANINGS.get(name, ""))


def _texts(node: ast.expr, known: Known) -> list[str]:
    """Each text that an expression can be."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Name(id=name):
            return known.get(name, [])
        case ast.IfExp():
            return _texts(node.body, known) + _texts(node.orelse, known)
        case ast.FormattedValue(value=value):
            return _texts(value, known) or list(ROUTES)
        case ast.JoinedStr():
            return ["".join(parts) for parts in product(*(_texts(part, known) for part in node.values))]
        case _:
            return []


def _constants(tree: ast.Module) -> Known:
    return {
        node.targets[0].id: [node.value.value]
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _plain(parts: list[ast.expr]) -> list[str]:
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
