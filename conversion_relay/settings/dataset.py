"""One dataset of the settings: its token, who may send to it, by which policy, how much, and who gets a copy.

What stands in a `[[dataset]]` table is that dataset's alone. Of the settings that a table may override (consent, Global
Privacy Control, public event names, ...) what it leaves out is as at the top of the file.

Copies (RELAY_COPIES_TO). A shop reports to the brand's pixel and to the agency's. What could go wrong: an event is sent
round in a circle, or arrives where nobody meant it to. So the rules are checked at the start, for all tables at once:
- a name is that of another table; an unknown one is a mistake, and no event is silently kept for nobody;
- a copy is not copied again: one table says of all its events where they go;
- tables that copy in a circle are refused, for whoever wrote them expects something else of each of them.
Rejected: following copies of copies. A's data would go where A's own table does not say.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import msgspec

from conversion_relay.errors import SettingsError
from conversion_relay.intake.consent import GpcPolicy, SilencePolicy
from conversion_relay.intake.origins import normal_origin
from conversion_relay.settings.file import text_in
from conversion_relay.settings.values import amount, as_meant, count, country, event_names, listed, matching, one_of
from conversion_relay.telemetry import Secret

TOKEN_FILE = "META_ACCESS_TOKEN_FILE"  # noqa: S105 - the name of a variable
BotPolicy = Literal["mark", "drop", "keep"]
HASHED = "sha256:"
"""Before the SHA-256 of an API key, in hexadecimal: the file then holds nothing that opens a door."""
MOST_COPIES = 10
"""Each is sealed by itself; so many of 1,000 events still fit into one commit."""


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset (pixel) at Meta, and who may send to it: pages by origin, backends by API key."""

    pixel_id: str
    access_token: Secret
    app_secret: Secret = Secret("")
    """Where it is set, each call proves that its sender has it (META_APP_SECRET)."""
    test_event_code: str | None = None
    allowed_origins: frozenset[str] = frozenset()
    api_keys: tuple[Secret, ...] = ()
    """In clear, or as HASHED and a digest."""
    bots: BotPolicy = "mark"
    copies_to: tuple[str, ...] = ()
    """Pixel ids of the datasets that get a copy of each event."""
    gpc: GpcPolicy | None = None
    """This and those below to `max_value`: None is as in `Settings`."""
    silence: SilencePolicy | None = None
    default_country: str | None = None
    public_event_names: frozenset[str] | None = None
    max_value: float | None = None
    most_per_second: int | None = None
    """Of its events by HTTP, to all processes of one `serve`; None is no limit."""
    most_per_day: int | None = None


def read_dataset(table: Mapping[str, str], *, is_table: bool) -> Dataset:
    """`table`: settings by name. `is_table`: it is a [[dataset]] table, which may override what is of all datasets;
    else these are the settings of all. Raises SettingsError."""
    own = table if is_table else {}
    names = event_names("RELAY_PUBLIC_EVENTS", own.get("RELAY_PUBLIC_EVENTS", ""))
    return Dataset(
        pixel_id=matching(
            "META_PIXEL_ID", table.get("META_PIXEL_ID") or "0", r"\d{1,20}", "digits only, e.g. 1232612085335834"
        ),
        access_token=Secret(_token(table)),
        app_secret=Secret(table.get("META_APP_SECRET", "").strip()),
        test_event_code=table.get("META_TEST_EVENT_CODE") or None,
        allowed_origins=frozenset(map(normal_origin, listed(table.get("RELAY_ALLOWED_ORIGINS", "")))),
        api_keys=tuple(map(_key, listed(table.get("RELAY_API_KEYS", "")))),
        bots=one_of("RELAY_BOTS", table.get("RELAY_BOTS", "mark"), get_args(BotPolicy)),
        copies_to=_copies(table.get("RELAY_COPIES_TO", "")),
        gpc=one_of("RELAY_GPC", own["RELAY_GPC"], get_args(GpcPolicy)) if own.get("RELAY_GPC") else None,
        silence=one_of("RELAY_CONSENT", own["RELAY_CONSENT"], get_args(SilencePolicy))
        if own.get("RELAY_CONSENT")
        else None,
        default_country=country(own.get("RELAY_DEFAULT_COUNTRY")),
        public_event_names=names or None,
        max_value=amount("RELAY_MAX_VALUE", own.get("RELAY_MAX_VALUE", "")),
        most_per_second=count("RELAY_MOST_PER_SECOND", table.get("RELAY_MOST_PER_SECOND", "")),
        most_per_day=count("RELAY_MOST_PER_DAY", table.get("RELAY_MOST_PER_DAY", "")),
    )


def read_tables(tables: Sequence[Mapping[str, str]]) -> tuple[Dataset, ...]:
    """Of the [[dataset]] tables of a file. A SettingsError begins with the table's number: of three hundred datasets
    with one mistake, its name alone would not say where to look."""
    found = []
    for n, table in enumerate(tables, 1):
        try:
            found.append(read_dataset({name: as_meant(name, text) for name, text in table.items()}, is_table=True))
        except SettingsError as error:
            raise SettingsError(f"[[dataset]] {n}: {error}") from None
    return tuple(found)


def with_line(error: SettingsError, file: str) -> SettingsError:
    """The error of a numbered table with the line of the file in which that table begins; others as they are."""
    found = re.match(r"\[\[(dataset|source)\]\] (\d{1,9})\b", str(error))
    if not file or not found:
        return error
    text = text_in("RELAY_CONFIG", file).replace("\r\n", "\n").replace("\r", "\n")
    begin = re.compile(rf"[ \t]*\[\[[ \t]*{found[1]}[ \t]*\]\]")
    lines = [number for number, line in enumerate(text.split("\n"), 1) if begin.match(line)]
    n = int(found[2])
    return SettingsError(f"{error} (the table begins in line {lines[n - 1]})") if n <= len(lines) else error


def refuse_wrong_copies(datasets: Sequence[Dataset]) -> None:
    """SettingsError for a copy to nobody, to itself, or round in a circle; tables are named by their number."""
    places = {dataset.pixel_id: n for n, dataset in enumerate(datasets, 1)}
    for n, dataset in enumerate(datasets, 1):
        where = f"[[dataset]] {n}: RELAY_COPIES_TO" if len(datasets) > 1 else "RELAY_COPIES_TO"
        if dataset.pixel_id in dataset.copies_to:
            raise SettingsError(f"{where}: it names its own dataset; leave that one out")
        for place, name in enumerate(dataset.copies_to, 1):
            if name not in places:
                raise SettingsError(
                    f"{where}: its name {place} is no META_PIXEL_ID of a [[dataset]] table; add that table, or leave"
                    " the name out"
                )
        if way := _way_back(dataset, {one.pixel_id: one for one in datasets}):
            tables = " to ".join(str(places[name]) for name in way)
            raise SettingsError(f"{where}: tables {tables} copy in a circle; a copy is not copied again: leave one out")


def _way_back(begin: Dataset, datasets: Mapping[str, Dataset]) -> list[str]:
    """The ids from one dataset by its copies back to itself; empty where no way leads back."""
    ways = [[begin.pixel_id, name] for name in begin.copies_to]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        if way[-1] == begin.pixel_id:
            return way
        if way[-1] in datasets and way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, name] for name in datasets[way[-1]].copies_to]
    return []


def _copies(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(listed(text)))
    for name in names:
        matching("RELAY_COPIES_TO", name, r"\d{1,20}", "pixel ids, digits only, such as 1232612085335834")
    if len(names) > MOST_COPIES:
        raise SettingsError(f"RELAY_COPIES_TO: at most {MOST_COPIES} datasets can have a copy")
    return names


def _key(text: str) -> Secret:
    digest = text.removeprefix(HASHED)
    if text.lower().startswith(HASHED) and (digest == text or not re.fullmatch(r"[0-9a-fA-F]{64}", digest, re.ASCII)):
        raise SettingsError(f"RELAY_API_KEYS: after {HASHED} stand 64 hexadecimal digits, the SHA-256 of a key")
    return Secret(text)


def _token(table: Mapping[str, str]) -> str:
    if file := table.get(TOKEN_FILE):
        return _token_in(file)
    return _readable("META_ACCESS_TOKEN", table.get("META_ACCESS_TOKEN", ""))


def _token_in(file: str) -> str:
    """The token that stands in this file. A file that is being written may be empty for a moment: that is no token."""
    text = as_meant(TOKEN_FILE, text_in(TOKEN_FILE, file))
    if not text:
        raise SettingsError(f"{TOKEN_FILE}: the file is empty (a pipe is at its second reading); write the token")
    if text.startswith(("{", "META_", "export ")):
        raise SettingsError(f"{TOKEN_FILE}: the file holds more than the token; write the token alone, without a name")
    return _readable(TOKEN_FILE, text)


def _readable(name: str, text: str) -> str:
    if text and not re.fullmatch(r"[!-~]+", text):
        raise SettingsError(f"{name}: holds a space or an odd character; paste it without line breaks")
    return text
