"""GET /meta-tracking.js and its twins: the page's script, served beside the endpoints that it posts to.

A page that takes the script from here needs no copy of its own, and gets the one that fits this server. So that a page
may pin it (`integrity`), it is readable across origins. An address with `?v=` and the file's own hash never changes and
is kept for a year; without it a browser asks again after an hour, and mostly gets a 304.

The files lie in `src/` of a checkout and, in a wheel, in `collector/scripts/` (`force-include` in pyproject.toml).
"""

import base64
import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDERS = (Path(__file__).parent / "scripts", Path(__file__).parents[2] / "src")
JAVASCRIPT, TYPESCRIPT = "text/javascript; charset=utf-8", "application/typescript; charset=utf-8"
NAMES = ("meta-tracking.js", "meta-tracking.min.js", "meta-tracking.mirror.min.js", "meta-tracking.d.ts")
YEAR, HOUR = 31_536_000, 3_600


class Script(NamedTuple):
    """One of the files."""

    name: str
    body: bytes
    zipped: bytes
    version: str
    """For `?v=`: twelve digits of its SHA-256."""
    integrity: str
    """For the attribute of that name: https://www.w3.org/TR/SRI/"""


class Shown(NamedTuple):
    """An answer to GET; a HEAD gets the same without `body`."""

    status: int
    headers: dict[str, str]
    body: bytes


@cache
def scripts() -> dict[str, Script]:
    """Those that are there, by name; read once."""
    found = {}
    for name in NAMES:
        path = next((path for folder in FOLDERS if (path := folder / name).is_file()), None)
        if path is not None:
            found[name] = _script(name, path.read_bytes())
    return found


def _script(name: str, body: bytes) -> Script:
    digest = base64.b64encode(hashlib.sha384(body).digest()).decode()
    version = hashlib.sha256(body).hexdigest()[:12]
    return Script(name, body, gzip.compress(body, 9, mtime=0), version, f"sha384-{digest}")


def show(script: Script, query: str, headers: Mapping[str, str]) -> Shown:
    """`query`: of the URL, without the question mark; `headers`: names in lower case."""
    is_zipped = "gzip" in headers.get("accept-encoding", "")
    tag = f'"{script.version}{"-gzip" if is_zipped else ""}"'
    is_pinned = query == f"v={script.version}"
    given = {
        "content-type": TYPESCRIPT if script.name.endswith(".ts") else JAVASCRIPT,
        "cache-control": f"public, max-age={YEAR}, immutable" if is_pinned else f"public, max-age={HOUR}",
        "etag": tag,
        "vary": "Accept-Encoding",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
        "x-content-type-options": "nosniff",
    }
    if tag in headers.get("if-none-match", ""):
        return Shown(304, given, b"")
    if is_zipped:
        return Shown(200, {**given, "content-encoding": "gzip"}, script.zipped)
    return Shown(200, given, script.body)
