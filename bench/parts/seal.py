"""From raw JSON to wire bytes: CPU of one event.

Ours and the limit begin at the bytes and end at the bytes, and so do the SDKs. Ours checks every rule and scrubs every
text; the others hash. The figure is the one with all caches of values off: a shop's people do not repeat.
"""

import json

from bench import ours
from bench.machine import output
from bench.part import Comparison, Contestant, Form, Found, Part
from bench.peers import NODE, no_facebook, no_node, python

LIMIT = "limit: decode, normalise, SHA-256, encode"
NODE_SDK, PYTHON_SDK = "facebook-nodejs-business-sdk", "facebook-business"


def contestants(form: Form) -> list[Contestant]:
    n = form.count(1_500, 8_000)
    without_names = "" if form.shape == "site" else "its functions take plain values only"

    def timed(interpreter: str, sealer: str, state: str) -> Found:
        events = str(ours.traffic_file(form))
        found: Found = json.loads(output([interpreter, "-m", "bench.timed_seal", sealer, state, events, str(n)]))
        return found

    def node() -> Found:
        script = NODE.parents[1] / "bench" / "peers" / "node.mjs"
        found: Found = json.loads(output(["node", str(script), "seal", str(ours.traffic_file(form)), str(n)]))
        return found

    own = ours.PYTHON
    return [
        Contestant(LIMIT, lambda: timed(own, "least", "off")),
        Contestant("ours, caches off", lambda: timed(own, "ours", "off")),
        Contestant("ours, cold", lambda: timed(own, "ours", "cold")),
        Contestant("ours, warm", lambda: timed(own, "ours", "warm")),
        Contestant(NODE_SDK, node, no_node() or without_names),
        Contestant(PYTHON_SDK, lambda: timed(python(), "facebook", "cold"), no_facebook() or without_names),
    ]


def _line(label: str, name: str, goal: float | None = None, least: float | None = None) -> Comparison:
    return Comparison(label=label, of=(name, "us"), baseline=(LIMIT, "us"), goal=goal, least=least)


PART = Part(
    name="seal",
    title="seal: CPU us of one event, and % refused",
    contestants=contestants,
    comparisons=(
        _line("CPU of one event, caches off", "ours, caches off", 1.7, 2.3),
        _line("the same, each event for the first time", "ours, cold", 1.7, 2.3),
        _line("the same, the same events again", "ours, warm"),
        _line("peer: Meta's Node SDK", NODE_SDK),
        _line("peer: Meta's Python SDK", PYTHON_SDK),
    ),
    watched=((LIMIT, "us"),),
    full_rounds=11,
    quick_rounds=3,
)
