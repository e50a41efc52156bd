"""Whether a function's time grows with its input and not with the square of it, on a machine that does other things."""

import time
from collections.abc import Callable
from typing import Any


def seconds(call: Callable[[], object], most: int = 2) -> float:
    """The best of several: whatever else runs can only make it longer."""
    best = float("inf")
    for _ in range(most):
        begun = time.process_time()
        call()
        best = min(best, time.process_time() - begun)
    return best


def grows_linearly(function: Callable[[Any], object], made: Callable[[int], Any], size: int = 2**17) -> bool:
    """Eight times the input takes less than twenty times as long; the square would take sixty-four.

    A small size comes first, so that the square is told in seconds. Times too short to be told from noise count as that
    long. Another try for a machine that was busy.
    """
    return all(_is_linear_at(function, made, at) for at in (size // 32, size))


def _is_linear_at(function: Callable[[Any], object], made: Callable[[int], Any], size: int) -> bool:
    small, big = made(size), made(8 * size)

    def is_linear() -> bool:
        return seconds(lambda: function(big), 1) < 20 * max(seconds(lambda: function(small)), 0.005)

    return any(is_linear() for _ in range(3))
