"""Medians, intervals, and whether a baseline stood still."""

import random
import statistics
from collections.abc import Sequence

import msgspec

MOST_WANDERING = 1.5
RESAMPLES = 2_000


class Estimate(msgspec.Struct, frozen=True):
    """A median over rounds with its 95 % interval. With one round the three are the same."""

    median: float
    low: float
    high: float
    rounds: int


def estimate(values: Sequence[float]) -> Estimate:
    """Percentile bootstrap of the median. Seeded, so that the same rounds always give the same interval.

    >>> estimate([2.0, 2.0, 2.0])
    Estimate(median=2.0, low=2.0, high=2.0, rounds=3)
    """
    draw = random.Random(len(values))
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(RESAMPLES))
    tail = RESAMPLES // 40
    return Estimate(statistics.median(values), medians[tail], medians[-tail - 1], len(values))


def paired(ours: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """The ratio of each round: what disturbed a round disturbed both.

    >>> paired([4.0, 9.0], [2.0, 3.0])
    [2.0, 3.0]
    """
    return [a / b for a, b in zip(ours, baseline, strict=True)]


def wandering(values: Sequence[float]) -> float:
    """The largest of a baseline's rounds to the smallest; 1 is a machine that stood still.

    >>> wandering([10.0, 12.0, 11.0])
    1.2
    """
    return max(values) / min(values)


def slope_per_minute(samples: Sequence[tuple[float, float]]) -> float:
    """Of (second, value), by least squares, after the first third, in which caches and pools fill.

    >>> slope_per_minute([(second, 100 + second / 6) for second in range(60)])
    10.0
    """
    warm = samples[len(samples) // 3 :]
    if len(warm) < 2:
        return 0.0
    return round(60 * statistics.linear_regression(*zip(*warm, strict=True)).slope, 6)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of values in order.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    3.0
    """
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
