"""A table of a page of which the code writes some columns, and a person the others.

The code knows which settings and metrics there are; only a person knows what they are for. So a table stands between
two comments. `kept` gives what a person wrote, by the name in the first column, and `with_table` puts new rows in
place. A name that the code has and the page has not gets an empty cell, which a test refuses: whoever adds a setting
writes one sentence about it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

NAME = re.compile(r"`([^`]+)`")


def kept(page: str, table: str) -> dict[str, list[str]]:
    """By the name in the first column, the cells of the row.

    >>> kept("<!-- a: begin -->\\n| n | x |\\n|---|---|\\n| `b` | c |\\n<!-- a: end -->\\n", "a")
    {'b': ['`b`', 'c']}
    """
    rows = [cells(line) for line in _between(page, table).splitlines() if line.startswith("| `")]
    return {NAME.findall(row[0])[0]: row for row in rows}


def cells(line: str) -> list[str]:
    r"""
    >>> cells(r"| `a` | one \| two | |")
    ['`a`', 'one \\| two', '']
    """
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def with_table(page: str, table: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(head), "|" + "---|" * len(head), *map(_row, rows)]
    before, _, rest = page.partition(f"<!-- {table}: begin -->\n")
    _, end, after = rest.partition(f"<!-- {table}: end -->\n")
    if not end:
        raise ValueError(f"the page has no table {table}")
    return "".join([before, f"<!-- {table}: begin -->\n", *(line + "\n" for line in lines), end, after])


def in_order(names: Iterable[str], known: Mapping[str, object]) -> list[str]:
    """Those that the page has, as it has them, then the new ones.

    >>> in_order(["a", "b", "c"], {"c": 0, "d": 0, "a": 0})
    ['c', 'a', 'b']
    """
    names = list(names)
    return [name for name in known if name in names] + sorted(name for name in names if name not in known)


def _between(page: str, table: str) -> str:
    return page.partition(f"<!-- {table}: begin -->\n")[2].partition(f"<!-- {table}: end -->\n")[0]


def _row(row: Sequence[str]) -> str:
    return "| " + " | ".join(row) + " |"
