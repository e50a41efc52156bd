"""The command line: `conversion-relay VERB`, one module for each verb or two that belong together.

In come arguments, environment and standard input; out come text for people, or JSON with --json, and an exit code:
0 ok, 1 findings or failures, 2 wrong usage, 78 wrong settings (EX_CONFIG). A verb decides nothing by itself: it opens
what it needs (relay, outbox, stand-in), calls it and prints. Nothing imports this room.

A verb's module is loaded when the verb is used: `--help` and `normalize` must not wait for a web server's packages.
What is printed goes through `printing.py`, which lets no control character reach the terminal.
"""

import gc
import os
import sys
from importlib import import_module

import click

from conversion_relay import __version__
from conversion_relay.errors import TOO_FEW_FILES, RelayError, SettingsError, is_short_of_files, leaves_no_variables

EXIT_SETTINGS = 78
_SERVER_EXTRA = frozenset({"litestar", "uvicorn", "jinja2", "prometheus_client", "multipart", "crawlerdetect"})

# verb -> the module that holds it
_HOME = {
    "demo": "demo",
    "serve": "serve",
    "deliver": "serve",
    "emulator": "emulator",
    "scripts": "scripts",
    "send": "send",
    "validate": "validate",
    "normalize": "normalize",
    "status": "look",
    "explain": "look",
    "doctor": "doctor",
    "import": "importing",
    "tail": "tail",
    "quality": "quality",
    "test": "quality",
    "backup": "backup",
    "restore": "backup",
    "migrate": "migrate",
    "dead": "dead",
    "erase": "dead",
    "webhook": "webhook",
    "expect": "expect",
}


class _Verbs(click.Group):
    """Loads a verb's module when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_HOME)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _HOME:
            return None
        gc.disable()  # what is loaded lives as long as the process: to look through it was a seventh of the start
        try:
            command: click.Command = getattr(import_module(f"conversion_relay.cli.{_HOME[cmd_name]}"), cmd_name)
        finally:
            gc.freeze()
            gc.enable()
        return command


@click.command(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="conversion-relay")
def verbs() -> None:
    """Conversion events to Meta: durable before the answer, hashed at the door, delivered once."""


def main() -> None:
    """The console script: runs a verb and turns what it raises into a sentence and an exit code."""
    try:
        _run()
    finally:
        if not _is_written():
            sys.exit(1)


def _is_written() -> bool:
    """Whether standard output took what was printed. Python itself finds out after the last line of the program, and
    then ends with code 120 and a line about an ignored exception: `dead export >letters` on a full disk."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer goes nowhere at the end
        if isinstance(error, BrokenPipeError):  # who read it has enough
            return True
        click.echo(f"standard output cannot be written: {error.strerror}", err=True)
        return False
    return True


@leaves_no_variables
def _run() -> None:
    if None in (sys.stdin, sys.stdout, sys.stderr) or not (sys.stdout.encoding == sys.stderr.encoding == "utf-8"):
        from conversion_relay.cli.printing import open_what_is_closed, print_in_any_charset

        open_what_is_closed()
        print_in_any_charset()
    try:
        verbs(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except SettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_SETTINGS)
    except RelayError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except UnicodeEncodeError as error:
        if not error.reason.startswith("surrogates"):
            raise
        # Python reads an argument's bytes that are no UTF-8 as lone surrogates; a file's name may hold them.
        click.echo("an argument holds bytes that are not UTF-8; no id, name or address does", err=True)
        sys.exit(2)
    except OSError as error:  # of a file or an address that somebody named
        if not error.filename and not _is_written():
            sys.exit(1)
        from conversion_relay.cli.printing import printable

        where = f"{error.filename}: " if error.filename else ""
        said = TOO_FEW_FILES if is_short_of_files(error) else f"{where}{error.strerror or type(error).__name__}"
        click.echo(printable(said), err=True)
        sys.exit(1)
    except (RuntimeError, ModuleNotFoundError) as error:
        said, code = _lacking(error)
        click.echo(said, err=True)
        sys.exit(code)


def _lacking(error: RuntimeError | ModuleNotFoundError) -> tuple[str, int]:
    """What this machine has not got. Raises the error where it is none of those."""
    from conversion_relay.relay.threads import SHORT_OF_THREADS, is_short_of_threads

    if is_short_of_threads(error):
        return SHORT_OF_THREADS, 1
    if isinstance(error, ModuleNotFoundError) and error.name in _SERVER_EXTRA:
        return "this verb needs the server's packages: pip install 'conversion-relay[server]'", EXIT_SETTINGS
    raise error
