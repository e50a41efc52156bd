"""The shape in which everything wrong with an event is told: to a sender, by `validate`, in the documents."""

from collections.abc import Iterable
from typing import Literal

import msgspec

PAGES = "https://developers.facebook.com/docs/marketing-api/conversions-api"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with one field, and how to mend it. Never holds the field's value."""

    code: str
    """A stable word for programs, such as `too_broad`."""
    path: str
    """The field, such as `custom_data.value`."""
    severity: Literal["error", "warning", "hint"]
    message: str
    fix: str
    link: str
    subcode: int | None = None
    """The `error_subcode` that Meta would answer with; None where none was ever recorded."""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Errors, then warnings, then hints; within each the order given."""
    return sorted(findings, key=lambda finding: ("error", "warning", "hint").index(finding.severity))
