"""The command line: what the console script calls, and `python -m conversion_relay VERB` where none is on the path.

Ctrl-C while the modules are loaded ends with code 130 and says nothing: nothing was begun. A KeyboardInterrupt would be
raised inside the import system, which prints and drops it where it comes in a callback. Only what Python itself does
before its first line of ours is beyond this.
"""

import _signal  # type: ignore[import-not-found]  # `signal` wraps it in enums, slower to load than all of this
import os
import sys


def main() -> None:
    """Loads the verbs and runs one."""
    is_ours = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler  # else a parent has it ignored
    if is_ours:
        _signal.signal(_signal.SIGINT, lambda *_: os._exit(130))
    from conversion_relay.cli import main as run_verb

    if is_ours:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    try:
        run_verb()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
