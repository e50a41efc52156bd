"""What is said on the command line of `import`, checked before a file is read. Wrong words are wrong usage (exit 2)."""

from pathlib import Path

import click

from conversion_relay.cli.table.rows import zone as zone_of


def pairs(_: click.Context, __: click.Parameter, said: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in said:
        column, sign, field = pair.rpartition("=")
        if not sign:
            raise click.BadParameter("COLUMN=FIELD, such as --map 'Mail=email'")
        found[column.strip()] = field.strip()
    return found


def only(_: click.Context, __: click.Parameter, said: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The first sign of equality parts the two: a value may hold others."""
    found: dict[str, tuple[str, ...]] = {}
    for pair in said:
        column, sign, value = pair.partition("=")
        if not sign:
            raise click.BadParameter("COLUMN=VALUE, such as --only 'Status=paid'")
        found[column.strip()] = (*found.get(column.strip(), ()), value.strip())
    return found


def charset(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    """Of text, which a file may be written in."""
    if name is None:
        return None
    try:
        # Python also knows base64 and gzip as encodings, and those of host names; this refuses them.
        "a".encode(name).decode(name, "replace")
    except (LookupError, ValueError):
        raise click.BadParameter("no charset of this name; such as utf-8, cp1252, cp1251, shift_jis, utf-16") from None
    return name


def one_character(_: click.Context, __: click.Parameter, sign: str | None) -> str | None:
    if sign is None:
        return None
    sign = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(sign.lower(), sign)
    if len(sign) != 1 or sign in '"\r\n\0':
        raise click.BadParameter("one character, such as ; or tab")
    return sign


def zone(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    if name is None:
        return None
    try:
        zone_of(name)
    except ValueError:
        raise click.BadParameter(
            "no time zone of this name, or no table of zones on this machine (pip install tzdata); such as"
            " Europe/Berlin, UTC"
        ) from None
    return name


def no_pipe(_: click.Context, __: click.Parameter, file: Path) -> Path:
    """FILE. Of a pipe (`-`, `/dev/stdin`, `<(...)`) the second reading would lack what the first look took."""
    if not file.is_file():
        raise click.UsageError(_PIPE)
    return file


_PIPE = (
    "FILE must be a file: a pipe can be read only once, and an import looks at the file first and goes on where it"
    " stopped; write it into a file (JSON lines may also go to `conversion-relay send -`)"
)
