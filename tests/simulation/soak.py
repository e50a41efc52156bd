"""What many worlds were together: how long, what happened in them, and which did not hold."""

from collections import Counter
from itertools import zip_longest

import msgspec

from tests.simulation.ending import Ending, digest
from tests.simulation.reach import MUST_BE_REACHED

AT_META, BY_THE_OPERATOR = "meta ", "operator: "


class Soak(msgspec.Struct, frozen=True):
    """`marks`: what was reached, and how often. `histories`: a digest of all, by which two machines are compared."""

    worlds: int
    hours: float
    core_seconds: float
    events: int
    calls: int
    marks: Counter[str]
    failed: int
    histories: str

    @classmethod
    def of(cls, endings: list[Ending]) -> "Soak":
        marks: Counter[str] = Counter()
        for ending in endings:
            marks.update(ending.marks)
        return cls(
            worlds=len(endings),
            hours=sum(ending.virtual_hours for ending in endings),
            core_seconds=sum(ending.core_seconds for ending in endings),
            events=sum(ending.events for ending in endings),
            calls=sum(ending.calls for ending in endings),
            marks=marks,
            failed=sum(ending.why is not None for ending in endings),
            histories=digest([f"{ending.seed} {ending.digest}" for ending in sorted(endings, key=lambda e: e.seed)]),
        )

    def never_reached(self) -> list[str]:
        return [what for what in MUST_BE_REACHED if not self.marks[what]]

    def listed(self) -> str:
        """A line for each thing that was reached, and two for all."""
        reached = [f"{n:8}  {what}" for what, n in sorted(self.marks.items())]
        return "\n".join([*reached, self.whole(), f"histories {self.histories}"])

    def whole(self) -> str:
        rate = self.hours / self.core_seconds * 60 if self.core_seconds else 0
        return (
            f"{self.worlds:,} worlds, {self.hours:,.0f} virtual hours ({rate:,.0f} a minute of one core),"
            f" {self.events:,} events, {self.calls:,} calls to Meta, {self.failed} failed"
        )

    def table(self) -> str:
        """In Markdown: the sum, then Meta's moods, the operator's acts, and what else worlds are there to reach."""
        columns = (
            [self._row(what, what.removeprefix(AT_META)) for what in MUST_BE_REACHED if what.startswith(AT_META)],
            [self._row(what, what.removeprefix(BY_THE_OPERATOR)) for what in MUST_BE_REACHED if _is_act(what)],
        )
        lines = [
            f"{self.whole()}.",
            "",
            "| Meta was, did | times | the operator did | times |",
            "| --- | ---: | --- | ---: |",
        ]
        lines += [f"| {left} | {right} |" for left, right in zip_longest(*columns, fillvalue=" | ")]
        lines += ["", "| what else worlds are there to reach | times |", "| --- | ---: |"]
        rest = (what for what in MUST_BE_REACHED if not what.startswith(AT_META) and not _is_act(what))
        lines += [f"| {self._row(what, what.removeprefix('log: '))} |" for what in rest]
        return "\n".join(lines) + "\n"

    def _row(self, mark: str, shown: str) -> str:
        return f"{shown} | {self.marks[mark]:,}"


def _is_act(what: str) -> bool:
    return what.startswith(BY_THE_OPERATOR)
