"""`normalize`: what becomes of a value before it is hashed, line by line. Shows why a phone number is dropped."""

import datetime
import sys
from typing import Any

import click
import msgspec

from conversion_relay.cli.printing import print_json
from conversion_relay.intake.mending import decode
from conversion_relay.meta.customer_information import normalize as normalize_value


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    field: str
    value: Any
    """What no rule can read is dropped with a reason, as the door does it."""
    country: str | None = None
    default_country: str | None = None


@click.command()
def normalize() -> None:
    """JSON lines {"field","value","country"?,"default_country"?} -> {"normalized","sha256","dropped"}."""
    today = datetime.datetime.now(datetime.UTC).date()
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        try:
            asked = _asked(line)
            result = normalize_value(
                asked.field,
                asked.value,
                country=asked.country,
                default_country=asked.default_country,
                today=today,
            )
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise click.ClickException(f"line {number}: {str(error).partition(' - ')[0]}") from None
        except KeyError as error:
            raise click.ClickException(f"line {number}: {error.args[0]}") from None
        print_json({"normalized": result.normalized, "sha256": result.sha256, "dropped": result.dropped})


def _asked(line: bytes) -> _Line:
    try:
        return _line_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        try:
            odd = decode(line)  # such as a name that was cut in an emoji
        except (ValueError, RecursionError):
            raise error from None
        return msgspec.convert(odd, _Line)


_line_decoder = msgspec.json.Decoder(_Line)
