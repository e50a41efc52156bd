"""`make links`: every address outside of the project that the documents and the sources name, and whether it answers.

The tests have no internet, and another site's outage is no fault here; so this is asked by hand, before a release. An
address counts as good where its server answers below 400, or keeps programs out (401, 403, 405, 429).
"""

import re
import sys
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests import rooms

_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+\.[a-z]{2,}(?:/[^\s\"'`<>()\[\]{}|\\*]*)?")
_NOBODYS = re.compile(r"https://[^/]*\b(?:example|test|invalid|localhost|your-?\w*)\b")
"""Of examples: nobody answers there."""
_KEEPS_PROGRAMS_OUT = frozenset({401, 403, 405, 429})
SECONDS = 20.0


def addresses(texts: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Each address and where it stands. `texts`: (name, text).

    >>> addresses([("a.md", "see https://www.rfc-editor.org/rfc/rfc9562. Not https://shop.example/x")])
    {'https://www.rfc-editor.org/rfc/rfc9562': ['a.md']}
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, text in texts:
        named = (address.partition("#")[0].rstrip(".,;:!?") for address in _ADDRESS.findall(text))
        for address in dict.fromkeys(named):
            if not _NOBODYS.match(address):
                found[address].append(name)
    return dict(found)


def texts() -> list[tuple[str, str]]:
    """The pages that people read, and the sources' docstrings and comments that say where a rule comes from."""
    pages = [*rooms.ROOT.glob("*.md"), *(rooms.ROOT / "docs").rglob("*.md"), *rooms.PACKAGE.rglob("*.py")]
    return [(str(path.relative_to(rooms.ROOT)), path.read_text("utf-8")) for path in sorted(pages)]


def answer(address: str) -> str | None:
    """What is wrong with it, if anything is."""
    request = urllib.request.Request(address, method="GET", headers={"User-Agent": "Mozilla/5.0 (link check)"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):
            return None
    except urllib.error.HTTPError as error:
        return None if error.code in _KEEPS_PROGRAMS_OUT else f"{error.code}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))[:80]


def main() -> int:
    found = addresses(texts())
    with ThreadPoolExecutor(8) as several:
        wrong = [(address, why) for address, why in zip(found, several.map(answer, found), strict=True) if why]
    for address, why in wrong:
        print(f"{address}: {why} ({', '.join(found[address][:3])})")
    print(f"{len(found) - len(wrong)} of {len(found)} addresses answer")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
