"""One thing wrong with one field of an event, and how to mend it."""

from collections.abc import Iterable
from typing import Literal

import msgspec

PAGES = "https://developers.facebook.com/docs/marketing-api/conversions-api"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with one field, and how to mend it."""

    code: str
    path: str
    severity: Literal["error", "warning", "hint"]
    message: str
    fix: str
    link: str
    subcode: int | None = None
    """The `error_subcode` that Meta would answer with, where it is known."""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: ("error", "warning", "hint").index(finding.severity))
