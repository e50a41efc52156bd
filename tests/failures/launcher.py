"""`conversion-relay` with a fault planted in it.

    python -m tests.failures.launcher [--die POINT[:NTH]] [--set MODULE.NAME=NUMBER] -- VERB ...

At a named point the process kills itself with SIGKILL the NTH time it comes by: nothing is flushed, closed or said. The
product holds no such points; they are wrapped around its functions here.
"""

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import apsw

from conversion_relay import cli
from conversion_relay.delivery import context
from conversion_relay.delivery.isolation import Isolation
from conversion_relay.outbox.sqlite import file, ledger, operator, rows

SQL = {"transaction-begun": "BEGIN IMMEDIATE", "before-commit": "COMMIT", "after-commit": "COMMIT"}
FUNCTIONS: dict[str, tuple[Any, str]] = {
    "after-insert": (rows, "insert"),
    "after-claim": (rows, "claim"),
    "before-send": (context, "post"),
    "after-answer": (context, "post"),
    "in-settle": (rows, "settle"),
    "in-split": (Isolation, "part"),
    "in-take-back": (rows, "take_back"),
    "in-prune": (ledger, "prune"),
    "in-replay": (operator, "replay"),
}
POINTS = (*SQL, *FUNCTIONS)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--die", default="")
    parser.add_argument("--set", action="append", default=[], help="module.NAME=number")
    parser.add_argument("verb", nargs="+")
    options = parser.parse_args()
    for assignment in options.set:
        name, _, number = assignment.partition("=")
        module, _, constant = name.rpartition(".")
        setattr(importlib.import_module(module), constant, int(number) if number.isdigit() else float(number))
    if options.die:
        point, _, nth = options.die.partition(":")
        plant(point, int(nth or 1))
    sys.argv = ["conversion-relay", *options.verb]
    cli.main()


def plant(point: str, nth: int) -> None:
    reach = _countdown(nth)
    if point in SQL:
        _plant_in_sql(SQL[point], reach, after=point != "before-commit")
        return
    owner, name = FUNCTIONS[point]
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if point == "before-send":
            reach()
        result = original(*arguments, **named)
        if point != "before-send":
            reach()
        return result

    setattr(owner, name, wrapped)


def _plant_in_sql(sql: str, reach: Callable[[], None], *, after: bool) -> None:
    class Connection(apsw.Connection):
        def execute(self, statements: str, *arguments: Any, **named: Any) -> apsw.Cursor:
            if statements == sql and not after:
                reach()
            cursor = super().execute(statements, *arguments, **named)
            if statements == sql and after:
                reach()
            return cursor

    # Only what is done in the running product counts, not the opening of its file.
    class Apsw:
        def __getattr__(self, name: str) -> Any:
            return Connection if name == "Connection" else getattr(apsw, name)

    file.apsw = Apsw()  # type: ignore[assignment]


def _countdown(nth: int) -> Callable[[], None]:
    left = [nth]
    lock = threading.Lock()

    def reach() -> None:
        with lock:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return reach


if __name__ == "__main__":
    main()
