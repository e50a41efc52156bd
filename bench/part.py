"""What a part of the bench is: contestants that take turns, and which of their figures are compared with which."""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

Found = Mapping[str, float]
"""What one contestant measured in one round, by name of the figure."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How long it takes. `quick` shows in seconds that a part works; its intervals are wide."""

    is_quick: bool
    rounds: int
    seed: int = 20_261_126
    shape: Literal["site", "container", "plugin"] = "site"

    def pick(self, quick: float, full: float) -> float:
        return quick if self.is_quick else full

    def count(self, quick: int, full: int) -> int:
        return quick if self.is_quick else full


class Contestant(msgspec.Struct, frozen=True):
    """`measure` runs one round. `missing` says why it cannot run here; then its rows say so too."""

    name: str
    measure: Callable[[], Found]
    missing: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: a figure of a contestant, divided by a figure of its baseline.

    `baseline` None: the figure itself is judged (100 % answered, MB a minute)."""

    label: str
    of: tuple[str, str]
    """(contestant, figure)"""
    baseline: tuple[str, str] | None
    goal: float | None = None
    least: float | None = None
    more_is_better: bool = False
    unit: str = "x"
    only_full: bool = False
    """The quick form is too short to say; it shows the figure and judges nothing."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One bench of `make bench`."""

    name: str
    title: str
    contestants: Callable[[Form], list[Contestant]]
    comparisons: tuple[Comparison, ...]
    watched: tuple[tuple[str, str], ...]
    """Baselines, as (contestant, figure), that must not wander."""
    full_rounds: int = 7
    quick_rounds: int = 2
    shown: tuple[str, ...] = ()
    """Figures of the table of absolute figures."""
    tidy: Callable[[], None] = lambda: None
    """Removes large files, when the part is done."""
