"""What a process that runs for long says of its settings and its outbox, before somebody runs into it."""

import logging
import time

from conversion_relay.cli.look import stranded
from conversion_relay.delivery.installation import mounted_from_elsewhere
from conversion_relay.event import PAID_EVENT_NAMES
from conversion_relay.meta.versions import version_finding
from conversion_relay.outbox import Leases, Operator, Outbox
from conversion_relay.settings import Settings
from conversion_relay.telemetry import logger

STRANDED = "Events wait for a dataset that is not configured; they are kept and not sent"
FORGEABLE = (
    "RELAY_PUBLIC_EVENTS lists %s: anybody can forge what a page sends; prefer a payment webhook or your server%s"
)

SHORTEST_KEY, SHORTEST_PASSWORD = 12, 8
"""Characters. Keys are tried as fast as a server answers, some ten thousand a second; passwords by the rule of
`dashboard/access.py`."""
GUESSABLE = "%s holds a secret of fewer than %d characters, which can be guessed"
MAKE_ANOTHER = "make another: openssl rand -hex 24"
NOT_LOCAL = "the outbox lies on a network file system (%s), where a second machine damages it"
TO_A_DISK = "move it to a disk of this machine, or use postgresql://"


def say_stranded(outbox: Outbox, settings: Settings) -> None:
    if isinstance(outbox, Operator):
        for dataset, n in stranded(outbox.counts(), settings).items():
            logger.error(STRANDED, extra={"dataset": dataset, "events": n})


def say_when_not_local(settings: Settings) -> None:
    if kind := mounted_from_elsewhere(settings):
        logger.error(f"RELAY_OUTBOX: {NOT_LOCAL}; {TO_A_DISK}", kind)


def say_when_the_version_ends(settings: Settings) -> None:
    if finding := version_finding(settings.graph_version, time.time()):
        level = logging.ERROR if finding.severity == "error" else logging.WARNING
        logger.log(level, "%s: %s; %s", finding.path, finding.message, finding.fix)


def say_what_can_be_forged_or_guessed(settings: Settings) -> None:
    for own in dict.fromkeys((of.public_event_names, of.max_value) for of in map(settings.of, settings.datasets)):
        if paid := sorted(own[0] & PAID_EVENT_NAMES):
            bound = "" if own[1] is not None else " and set RELAY_MAX_VALUE"
            logger.warning(FORGEABLE, ", ".join(paid), bound)
    for name, fewest in guessable(settings).items():
        logger.warning(f"{GUESSABLE}; {MAKE_ANOTHER}", name, fewest)


def guessable(settings: Settings) -> dict[str, int]:
    """By setting: how many characters would do. Of a hash nobody knows how long what it stands for is."""
    keys = [key.reveal() for dataset in settings.datasets for key in dataset.api_keys]
    found = {"RELAY_API_KEYS": SHORTEST_KEY} if any(len(key) < SHORTEST_KEY for key in keys) else {}
    password = settings.admin_password.reveal()
    return found | ({"RELAY_ADMIN_PASSWORD": SHORTEST_PASSWORD} if 0 < len(password) < SHORTEST_PASSWORD else {})


def say_what_is_missing(outbox: Outbox) -> None:
    from conversion_relay.collector.app import not_carried

    missing = not_carried(outbox) + ([] if isinstance(outbox, Leases) else ["delivery"])
    if missing:
        logger.warning("The outbox of this kind cannot carry: %s", ", ".join(missing))
