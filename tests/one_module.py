"""Names of a library replaced for one module alone.

Threads of other tests go on beside this one: a clock, a lookup or a file that is replaced for the whole process is
replaced for them, too."""

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def replace_in(module: ModuleType, library: str, patch: pytest.MonkeyPatch, **names: Any) -> None:
    """`library`: as the module calls it, such as `os`. `names`: what it finds there until the test ends."""
    whole = vars(getattr(module, library))
    patch.setattr(module, library, SimpleNamespace(**{**whole, **names}))
