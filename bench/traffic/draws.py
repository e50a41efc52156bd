"""Draws with a long tail."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def rank(draw: random.Random, n: int) -> int:
    """0 to n - 1, each about as likely as one divided by its rank (Zipf's law).

    >>> draws = [rank(random.Random(seed), 1_000) for seed in range(1_000)]
    >>> sum(one < 10 for one in draws) > 200, sum(one > 100 for one in draws) > 200
    (True, True)
    """
    return int((n + 1) ** draw.random()) - 1


def common_first(draw: random.Random, values: Sequence[T]) -> T:
    """The first ones often, the last ones seldom."""
    return values[rank(draw, len(values))]


def weighted(draw: random.Random, choices: dict[T, int]) -> T:
    return draw.choices(tuple(choices), tuple(choices.values()))[0]


def digits(draw: random.Random, n: int) -> str:
    return f"{draw.randrange(10**n):0{n}d}"


def letters(draw: random.Random, n: int, alphabet: str) -> str:
    return "".join(draw.choices(alphabet, k=n))
