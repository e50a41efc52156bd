"""CPU of sealing one event, by one sealer in a process of its own.

    python -m bench.timed_seal ours|least|facebook off|cold|warm EVENTS N

`off`: before each event every cache of values is emptied, outside of the timed stretch. `cold`: each event comes for
the first time. `warm`: the same events once more. What is made once in a process (tables, decoders, phone metadata) is
made before the clock starts, by events that are not counted. What a sealer refuses is counted as `refused`.
"""

import functools
import gc
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BEFORE = 500
"""Events that only warm up."""
Seal = Callable[[bytes], object]


def ours() -> Seal:
    from conversion_relay import Relay, Settings

    seal = Relay(Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAbench"})).seal
    return lambda raw: seal(raw).body  # type: ignore[union-attr]


def least() -> Seal:
    return importlib.import_module("bench.least.seal").seal  # type: ignore[no-any-return]


def facebook() -> Seal:
    return importlib.import_module("bench.peers.facebook").seal  # type: ignore[no-any-return]


def caches() -> list[Any]:
    """Every bounded `lru_cache` of the product's modules: these remember values. Unbounded ones hold tables.

    A dictionary that remembers values by itself is not seen here, unless such a cache holds it."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("conversion_relay"):
            for one in vars(module).values():
                if isinstance(one, functools._lru_cache_wrapper) and one.cache_parameters()["maxsize"] is not None:
                    found[id(one)] = one
    return list(found.values())


def timed(seal: Seal, raws: list[bytes], empty: list[Callable[[], None]]) -> tuple[float, int]:
    """Seconds of CPU of the thread, and how many were refused."""
    clock, refused = time.thread_time_ns, 0
    if not empty:
        started = clock()
        for raw in raws:
            try:
                seal(raw)
            except Exception:
                refused += 1
        return (clock() - started) / 1e9, refused
    total = 0
    for raw in raws:
        for clear in empty:
            clear()
        started = clock()
        try:
            seal(raw)
        except Exception:
            refused += 1
        total += clock() - started
    return total / 1e9, refused


def clock_seconds(n: int) -> float:
    """What reading the clock twice adds to each event."""
    total = 0
    for _ in range(n):
        started = time.thread_time_ns()
        total += time.thread_time_ns() - started
    return total / 1e9


def main(name: str, state: str, events: str, n: int) -> None:
    seal: Seal = {"ours": ours, "least": least, "facebook": facebook}[name]()
    with Path(events).open("rb") as lines:
        raws = [line.rstrip() for line, _ in zip(lines, range(BEFORE + n), strict=False)]
    timed(seal, raws[:BEFORE], [])
    raws = raws[BEFORE:]
    if state == "warm":
        timed(seal, raws, [])
    empty = [one.cache_clear for one in caches()] if state == "off" else []
    if state == "off" and not empty:
        empty = [lambda: None]  # the clock is read as often as for who has caches
    gc.collect()
    gc.freeze()
    took, refused = timed(seal, raws, empty)
    took -= clock_seconds(len(raws)) if empty else 0.0
    print(json.dumps({"us": took / (len(raws) - refused) * 1e6, "refused": 100 * refused / len(raws)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
