"""A token that was renewed is used without a restart: the files it may stand in are looked at, and SIGHUP asks for it.

Only what delivery uses is taken over; addresses, origins and API keys need a restart.
"""

import signal
import threading
from collections.abc import Callable
from pathlib import Path

from conversion_relay.errors import SettingsError
from conversion_relay.settings import Settings
from conversion_relay.telemetry import configure_logging, logger

Stamp = tuple[int, int, int]


class SettingsWatch:
    """Called every second; hands over new settings when a file changed or SIGHUP came."""

    def __init__(self, use: Callable[[Settings], None]) -> None:
        self._use = use
        self._told = threading.Event()
        self._stamps = [_stamp(path) for path in Settings.files()]
        if threading.current_thread() is threading.main_thread():
            # Without a handler SIGHUP would end the process.
            signal.signal(signal.SIGHUP, lambda *_: self._told.set())

    def __call__(self) -> None:
        stamps = [_stamp(path) for path in Settings.files()]
        if stamps == self._stamps and not self._told.is_set():
            return
        self._told.clear()
        self._stamps = stamps
        try:
            settings = Settings.from_env()
        except SettingsError as error:
            logger.error("The new settings are not usable; the old ones stay", extra={"reason": str(error)})
            return
        configure_logging(settings.log_format, settings.secrets())
        self._use(settings)
        logger.info("Settings read again")


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
