"""New settings in a service that runs: what an operator should know of them, said and kept in the list of changes."""

import contextlib
import time

from conversion_relay.cli.said_at_start import say_stranded
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox import Outbox
from conversion_relay.outbox.audit import Audit, Change
from conversion_relay.settings import Settings
from conversion_relay.telemetry import logger


class Reread:
    """Says what an operator should know of new settings, and puts them into the list of changes by hand."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self._before, self._outbox, self._audit = settings, outbox, Audit(settings.outbox)

    def __call__(self, settings: Settings) -> None:
        before, self._before = self._before, settings
        if settings.outbox != before.outbox:
            logger.warning("RELAY_OUTBOX changes with a restart; until then the old outbox is used")
        if {one.pixel_id for one in before.datasets} - {one.pixel_id for one in settings.datasets}:
            with contextlib.suppress(OutboxUnavailable):  # the dashboard and `status` say it, too
                say_stranded(self._outbox, settings)
        self._audit.note(Change(time.time(), "settings", "settings"))
