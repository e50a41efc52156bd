"""Regular expressions that are compiled when they are first needed.

Compiling is slow (0.1 to 5 ms each), and was half of what `import conversion_relay` costs: 90 expressions, of which a
clean event needs 14. The other 75 belong to the careful ways: another spelling of a date, an address in brackets. A
program with two lines of ours should not pay for them at its start, nor a function at its cold start.

So: `re.compile` for what every event needs, since that is better paid at the start than by the first visitor; `seldom`
for the rest.
"""

import re
from typing import Any, AnyStr, cast


def seldom(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """As `re.compile`, later. A mistake in the expression is raised by its first use, so that each needs a test.

    >>> digits = seldom(r"[0-9]+")
    >>> digits.findall("10 or 20"), digits.pattern
    (['10', '20'], '[0-9]+')
    """
    return cast("re.Pattern[AnyStr]", _Seldom(text, flags))


class _Seldom:
    def __init__(self, text: str | bytes, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        """Called for what is not kept yet; from then on a method costs what it costs of a compiled expression."""
        found = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, found)
        return found
