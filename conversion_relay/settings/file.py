"""What may stand in the TOML file, by name; and the setting that a misspelt name is nearest to.

What could go wrong. A misspelt setting is no setting: the process starts, the shop's pages are refused or events go
nowhere, and every line of the configuration looks right. So a key of the file that is not known here ends the start,
and so does a variable of the environment that is nearly the name of a setting which is not set. Other RELAY_ and META_
variables are warned about and left alone: they may belong to somebody else's program.

The file. Its top-level keys are the variables' own names. `[[dataset]]` tables, one for each dataset, hold what is of
one dataset alone; then none of that may stand at the top, where it could mean any of them. Values are texts; numbers,
true and false where the setting is one; lists of texts where it is a list. Whatever else the file holds is a
SettingsError that names the key, the rule and the nearest known name, and never shows a value. Which settings there
are: `names.py`.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from conversion_relay.errors import SettingsError
from conversion_relay.payments import configured
from conversion_relay.settings.names import ENVIRONMENT_ONLY, OF_A_DATASET, OF_ALL, OF_EITHER, Kind, kind_of

_TOKEN_ELSEWHERE = ("META_ACCESS_TOKEN_SECRET_ARN", "META_ACCESS_TOKEN_PARAMETER", "AWS_LAMBDA_FUNCTION_NAME")
_ONE_TABLE_EACH = "write [[dataset]], in two brackets, above each dataset's settings"
NEAR = 0.8
"""Of difflib's ratio: one or two letters of a name wrong, missing or swapped."""
NEAR_IN_OWN_PART = 0.6
"""RELAY_PORT is not nearly RELAY_BOTS."""
MOST_BYTES = 10_000_000


def read_file(name: str, environ: Mapping[str, str]) -> tuple[dict[str, str], tuple[dict[str, str], ...]]:
    """The file's settings by name, and those of its [[dataset]] tables. Raises SettingsError.

    `environ`: on AWS the first dataset's token comes from where the environment says, and only to who sends."""
    document = _document(name)
    document.pop("source", None)
    tables = document.pop("dataset", None)
    if tables is None:
        return _settings(document, OF_ALL | OF_A_DATASET, ""), ()
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise _wrong("dataset", _ONE_TABLE_EACH)
    if above := sorted(OF_A_DATASET & document.keys()):
        raise _wrong(above[0], "with [[dataset]] tables it belongs into one of them")
    tokens_elsewhere = int(any(environ.get(name) for name in _TOKEN_ELSEWHERE))
    datasets = tuple(
        _dataset(table, f"[[dataset]] {n}: ", needs_token=n > tokens_elsewhere) for n, table in enumerate(tables, 1)
    )
    ids = [dataset["META_PIXEL_ID"] for dataset in datasets]
    for n, pixel_id in enumerate(ids, 1):
        if (first := ids.index(pixel_id) + 1) < n:
            raise _wrong(
                f"[[dataset]] {n}: META_PIXEL_ID", f"it is that of [[dataset]] {first}, too; give each its own"
            )
    return _settings(document, OF_ALL, ""), datasets


def source_tables(name: str) -> list[dict[str, Any]]:
    """The file's [[source]] tables, read further in `payments/source_table.py`. Raises SettingsError."""
    tables = _document(name).get("source", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _wrong("source", "write [[source]], in two brackets, above each sender's settings")
    return tables


class Seen(NamedTuple):
    """A file as it was when it was looked at; all None where there was none."""

    path: str
    modified: int | None = None
    size: int | None = None
    inode: int | None = None


def look_at(paths: Iterable[str]) -> tuple[Seen, ...]:
    """What tells a file that changed: a secret that is replaced by rename may keep time and size, never the inode."""
    return tuple(map(_seen, paths))


def _seen(path: str) -> Seen:
    try:
        found = os.stat(path)  # noqa: PTH116 - pathlib takes 3 ms to import, and no program needs it before this
    except (OSError, ValueError):  # no file's name holds a zero byte
        return Seen(path)
    if stat.S_ISFIFO(found.st_mode):  # the second one to read it would wait for ever
        return Seen(path)
    return Seen(path, found.st_mtime_ns, found.st_size, found.st_ino)


def files_behind(environ: Mapping[str, str]) -> list[str]:
    """Every file that settings come from. A file of settings that cannot be read now names none."""
    name = (environ.get("RELAY_CONFIG") or "").strip()
    if not name:
        return named_in((environ,))
    try:
        top, datasets = read_file(name, environ)
    except SettingsError:
        top, datasets = {}, ()
    return [name, *named_in((environ, top, *datasets))]


def named_in(tables: Iterable[Mapping[str, Any]]) -> list[str]:
    """The files that these settings name."""
    return list(dict.fromkeys(name for table in tables if (name := _file_of(table))))


def _file_of(table: Mapping[str, Any]) -> str:
    """Without the line end that an env file left."""
    return str(table.get("META_ACCESS_TOKEN_FILE") or "").strip()


def text_in(setting: str, name: str) -> str:
    """The file that a setting names. Raises SettingsError, which shows neither: a token may stand where its file's name
    belongs."""
    from pathlib import Path  # with what it imports 3 ms; most programs have their token in the environment

    try:
        with Path(name).open("rb") as file:
            content = file.read(MOST_BYTES)
        # Some editors write a byte order mark; PowerShell's `>` writes UTF-16.
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except FileNotFoundError:
        why = "there is no such file; its whole path is needed, and ~ and $HOME are not replaced"
    except PermissionError:
        why = "this user may not read the file; make it readable for the user of the service"
    except IsADirectoryError:
        why = "it is a folder; name the file in it"
    except UnicodeDecodeError:
        why = "the file is not UTF-8; save it as UTF-8"
    except (OSError, ValueError) as error:
        why = f"the file cannot be read: {error.__class__.__name__}"
    raise _wrong(setting, why)


def _is_pipe(name: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(name).st_mode)  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return False


def _document(name: str) -> dict[str, Any]:
    import tomllib

    if _is_pipe(name):
        raise _wrong("RELAY_CONFIG", "it is a pipe, and settings are read more than once; write them into a file")
    text = text_in("RELAY_CONFIG", name).replace("\r\n", "\n").replace("\r", "\n")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = '; a text stands in quotes, such as NAME = "value"' if "Invalid value" in str(error) else ""
        raise _wrong("RELAY_CONFIG", f"not valid TOML: {error}{hint}") from None
    except (ValueError, RecursionError):
        raise _wrong("RELAY_CONFIG", "not valid TOML: a number is too long, or brackets are too deep") from None


def _dataset(table: Mapping[str, Any], where: str, *, needs_token: bool) -> dict[str, str]:
    found = _settings(table, OF_A_DATASET | OF_EITHER, where)
    missing = [] if found.get("META_PIXEL_ID") else ["META_PIXEL_ID"]
    if needs_token and not found.get("META_ACCESS_TOKEN") and not found.get("META_ACCESS_TOKEN_FILE"):
        missing.append("META_ACCESS_TOKEN")
    if missing:
        raise _wrong(where.rstrip(": "), f"{' and '.join(missing)} missing; add it to this table")
    return found


def _settings(table: Mapping[str, Any], known: frozenset[str], where: str) -> dict[str, str]:
    found = {}
    for key, value in table.items():
        is_known = key in known or (not where and configured.is_one(key))
        if not is_known:
            raise _wrong(where + _shown(key), _unknown(key, value, known, where))
        found[key] = _text(where + key, key, value)
    return found


def _unknown(key: str, value: object, known: frozenset[str], where: str) -> str:
    """What to do about a key that is none."""
    if key in ENVIRONMENT_ONLY:
        return "it belongs into the environment, not into the file"
    if where and key in OF_ALL:
        return "it is of all datasets: write it at the top of the file, above the first [[dataset]]"
    is_section = isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, dict) for v in value))
    near = nearest(key, known)
    if is_section and not near:
        return f"there is no such section; {_ONE_TABLE_EACH}"
    return "there is no such setting" + (
        f"; {near} is the nearest one" if near else ", and none with a name like it; take it out"
    )


def _text(where: str, key: str, value: object) -> str:
    """As the environment would hold it."""
    kind = kind_of(key)
    if kind == "switch" and isinstance(value, bool):
        return str(value).lower()
    if kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        if (isinstance(value, float) and key != "RELAY_MAX_VALUE") or abs(value) >= 10**20:
            raise _wrong(where, "a whole number of up to 20 digits")
        return str(value)
    if key == "RELAY_COPIES_TO" and isinstance(value, list):  # ids, which META_PIXEL_ID may be as numbers, too
        value = [str(part) if isinstance(part, int) and not isinstance(part, bool) else part for part in value]
    if kind == "list" and isinstance(value, list):
        if not all(isinstance(part, str) and "," not in part for part in value):
            raise _wrong(where, "a list of texts, each with one value and no comma")
        value = ",".join(value)
    if not isinstance(value, str):
        raise _wrong(where, f"expected {_EXPECTED[kind]}")
    if not value.isprintable():
        raise _wrong(where, "it holds a line break or another control character; write it in one line")
    return value


_EXPECTED: dict[Kind, str] = {
    "text": "a text in quotes",
    "list": "a text or a list of texts",
    "number": "a whole number",
    "switch": "true or false",
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The setting whose name is nearly this one; also without the beginning that all of them share."""
    import difflib

    of = {k.upper(): k for k in known}
    found = difflib.get_close_matches(name[:100].upper(), of, 1, NEAR)
    if not found:
        return None
    own, theirs = (text.partition("_")[2] for text in (name[:100].upper(), found[0]))
    is_near = name[:6].upper() != found[0][:6] or difflib.SequenceMatcher(None, own, theirs).ratio() >= NEAR_IN_OWN_PART
    return of[found[0]] if is_near else None


def _shown(key: str) -> str:
    """A key as the file has it, in one line of a terminal; not one that could be a token on the wrong side of its =."""
    if any(len(part) > 15 and any(map(str.isdigit, part)) for part in key.replace("-", "_").split("_")):
        return "(a key that is not shown, since it may be a secret)"
    return "".join(c for c in key[:60] if c.isprintable()) or "(a key without letters)"


def _wrong(where: str, what: str) -> SettingsError:
    return SettingsError(f"{where}: {what}")
