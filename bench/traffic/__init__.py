"""Traffic as shops have it: a few values come often, most come once.

Drawn from a seed and from nothing else, so that a run can be repeated and another seed gives other people. The draws
follow a power law (`draws.py`): the commonest browser makes a tenth of the visits, thousands of others make the rest.

Three shapes: `site` is what a shop's own code sends (readable names, plain values); `container` is what a customer data
platform sends on (Meta's short names, digests already, lists, numbers as text, properties of its own); `plugin` is what
a shop's plugin writes about each page (its title and addresses, the visitor's role, nulls).
"""

import json
import random
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

from bench.traffic.container import container_event
from bench.traffic.plugin import plugin_event
from bench.traffic.site import site_event

SHAPES = {"site": site_event, "container": container_event, "plugin": plugin_event}
ID_DIGITS = 16
ID_MARK = b"r00000000-"
"""Each event id is this mark and 16 hexadecimal digits, so that a load generator can replace both in place."""


def events(seed: int, shape: str, now: float) -> Iterator[dict[str, Any]]:
    """Without end. `now`: Unix seconds; events are up to a day older."""
    draw = random.Random(f"{shape} {seed}")
    for number in count(1):
        yield SHAPES[shape](draw, f"{ID_MARK.decode()}{number:0{ID_DIGITS}x}", now)


def documents(n: int, *, seed: int, shape: str = "site", now: float) -> list[bytes]:
    """`n` events as JSON. Every other sender escapes what is not ASCII, as json.dumps and PHP do."""
    return [
        json.dumps(event, ensure_ascii=number % 2 == 0, separators=(",", ":")).encode()
        for number, event in enumerate(islice(events(seed, shape, now), n))
    ]


def write(path: Path, n: int, *, seed: int, shape: str = "site", now: float) -> Path:
    """One event a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(documents(n, seed=seed, shape=shape, now=now)) + b"\n")
    return path
