"""One dataset as Meta sees it: its mood, its token, its rules, and a limit that calls use up and time gives back."""

import random

from tests.simulation.scheduler import MICRO
from tests.simulation.templates import refused_templates

DECAY = 100 / 1_200
"""Percent of a metered limit that come back in a second."""


class DatasetAtMeta:
    def __init__(self, name: str, chance: random.Random) -> None:
        self.name, self.chance = name, chance
        self.token = f"EAA{name}x0"
        self.renewals = 0
        self.mood = "healthy"
        self.away: str | None = None
        """Its mood while it is away for hours or days, whatever else it would be."""
        self.refused_templates = refused_templates()
        """Values of `content_category` whose events are refused, and for which of MISTAKES."""
        self.refused: frozenset[tuple[str, str, str]] = frozenset()
        """Events of the request that was refused last."""
        self.usage, self.used_at, self.cost = 0.0, 0, 2.0
        """Percent of its limit, at a time in microseconds; what a call costs."""

    def use(self, now: int) -> float:
        self.usage = max(0.0, self.usage - (now - self.used_at) / MICRO * DECAY) + self.cost
        self.used_at = now
        return self.usage
