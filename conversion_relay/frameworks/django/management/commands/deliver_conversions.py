"""`manage.py deliver_conversions`: `conversion-relay deliver` with Django's settings.

The process becomes that program, so signals, exit codes and the log are the same, and no Django stays in memory.
"""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from conversion_relay.frameworks.django.conf import environ


class Command(BaseCommand):
    help = "Deliver what the outbox holds to Meta, until it is told to stop."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--once", action="store_true", help="deliver what is due, tell the sum and exit")

    def handle(self, *_: Any, once: bool, **__: Any) -> None:
        command = [sys.executable, "-m", "conversion_relay", "deliver", *(["--once"] if once else [])]
        os.execve(sys.executable, command, environ())  # noqa: S606 - no shell, and nothing of a user's in it
