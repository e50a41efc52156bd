"""A renewed token, and what else of the settings has changed, is used without a restart.

Meta's tokens expire or are revoked, and a platform that rotates secrets replaces a file. Until the new token is used
nothing can be sent, so the worker must find it by itself:
- Once a second the files that settings come from are looked at. A file counts as changed when its modification time,
  size or inode differ from those that it had just before it was read: a process that starts slowly, or a library that
  delivers from its first event on, misses nothing that changed in between.
- SIGHUP asks for the same at once. The handler only sets a flag; files are read in the worker's own loop.
- Settings that cannot be used leave the old ones in place, and an error line says which setting is wrong. A file that
  is read while it is half written is such a case: its next change is seen a second later.

What doors and delivery decide by is taken over: datasets and their tokens, keys, origins, policies, copies and limits.
Who holds on to something that was opened at the start (the outbox, the address, the dashboard's password, connections)
needs a restart.
Rejected: inotify. Its watch is on one file, and a secret that is replaced by rename, or by a symbolic link that moves
(Kubernetes), is another file.
"""

import signal
import threading
from collections.abc import Callable

from conversion_relay.errors import SettingsError
from conversion_relay.settings import Settings
from conversion_relay.settings.file import look_at
from conversion_relay.telemetry import configure_logging, logger


class SettingsWatch:
    """Call it every second: hands new settings to `use` when a file changed or SIGHUP came."""

    def __init__(self, use: Callable[[Settings], None], settings: Settings, *, is_guest: bool = False) -> None:
        """`settings`: those in use, as they were read. `is_guest`: in somebody else's program, whose signal handlers
        and logging are not ours to set."""
        self._use, self._is_guest = use, is_guest
        self._is_told = False
        self._seen = settings.read_from
        if (
            not is_guest
            and threading.current_thread() is threading.main_thread()
            and not callable(signal.getsignal(signal.SIGHUP))
        ):
            # Without a handler SIGHUP would end the process. Only the main thread may set one; a verb that a person
            # watches has set its own.
            signal.signal(signal.SIGHUP, self._hear)

    def _hear(self, *_: object) -> None:
        self._is_told = True  # no lock: a second signal may interrupt this one

    def __call__(self) -> None:
        if look_at(file.path for file in self._seen) == self._seen and not self._is_told:
            return
        self._is_told = False
        # Before they are read: what changes later is seen the next time. Another TOML file may name other token files,
        # so it is asked whenever something changed, and not every second.
        self._seen = look_at(Settings.files())
        try:
            settings = Settings.from_env()
        except SettingsError as error:
            logger.error("The new settings are not usable; the old ones stay", extra={"reason": str(error)})
            return
        if not self._is_guest:
            configure_logging(settings.log_format, settings.secrets())
        self._use(settings)
        logger.info("Settings read again")
