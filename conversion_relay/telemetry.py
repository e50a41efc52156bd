"""What the operator reads: log sentences and counters.

The three sentences (SENT, FAILED, ERROR) are fixed, to the letter: alarms and metric filters of sites in production
match on them. So an event's id, which a page chooses, stands beside them without blanks: it could be such a sentence.
Each is about one event, and which one is said depends on what can still happen:
- SENT: Meta took it.
- FAILED: it will not be sent any more (Meta refused it, or it grew too old).
- ERROR: it could not be put to Meta (an outage, a dead token, a damaged row). What is intact is tried again. In an
  outage it is said once a minute for each event name, with the number of events of that try.

Thinning. A backlog of a million events would write a million lines, and the one failure among them would not be found.
Above LINES_PER_SECOND, for each level, the rest of the second is summed up: one line per sentence, with a `count`. By
level, so that successes never use up the lines of failures. `flush` writes the last second's sums at the end.

The last net. No caller logs a person or a token; each logs event ids, codes and counts. `NoSecrets` stands under
every handler all the same, because libraries log too, and a traceback shows arguments: it strikes out every
configured secret and whatever looks like an e-mail address or a phone number in international form, in message,
members and traceback. It is a net and no licence: it cannot know a name.

Digests. An event id may hold the SHA-256 of an address (`event_id.py`). Whoever knows the address can make the digest
and look for it, in a log that `erase` cannot reach. So a line shows the first four of its 64 digits, which many share.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from conversion_relay.patterns import seldom
from conversion_relay.personal_data import email_spans, held, phone_spans

logger = logging.getLogger("conversion_relay")

SENT = "Meta Conversions API {} event sent successfully"
FAILED = "Failed to send Meta Conversions API {} event"
ERROR = "Error sending Meta Conversions API {} event"
LINES_PER_SECOND = 100
"""For each level; what is more in a second is summed up."""
PATIENCE = frozenset({"throttled"})
"""Why events wait without an error: Meta answered, and asks for time."""


def without_digests(text: str) -> str:
    """The text with every SHA-256 in it shortened to its first four digits; see "Digests" above.

    >>> without_digests("contact_973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b_1692345678")
    'contact_973d..._1692345678'
    """
    return _DIGEST.sub(r"\1...", text)


_DIGEST = seldom(r"(?<![0-9A-Za-z])([0-9A-Fa-f]{4})[0-9A-Fa-f]{60}(?![0-9A-Za-z])")


CounterKey = tuple[str, tuple[tuple[str, str], ...]]


def counter(name: str, **labels: str) -> CounterKey:
    return name, tuple(sorted(labels.items()))


BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 7_200.0, 86_400.0)
"""Seconds; the last ones are for how old an event is when Meta gets it."""


class Secret:
    """A text that shows neither in a repr nor in a traceback; `reveal` where it is used.

    >>> Secret("EAAtoken")
    Secret(***)
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __bool__(self) -> bool:
        return bool(self._text)


class Counters:
    """Numbers that only grow, by name and labels. Any thread may add; /metrics and CloudWatch's EMF read them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: Counter[CounterKey] = Counter()
        self._times: dict[CounterKey, tuple[list[int], float]] = {}

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """That something took so long; for a histogram with BUCKETS."""
        what = counter(name, **labels)
        with self._lock:
            counts, total = self._times.get(what) or ([0] * (len(BUCKETS) + 1), 0.0)
            counts[bisect_left(BUCKETS, seconds)] += 1
            self._times[what] = counts, total + seconds

    def read_times(self) -> dict[CounterKey, tuple[list[int], float]]:
        """By name: how many fell into each bucket alone (the last one is beyond all), and the sum of seconds."""
        with self._lock:
            return {what: (list(counts), total) for what, (counts, total) in self._times.items()}

    def add(self, name: str, n: float = 1, **labels: str) -> None:
        self.count(counter(name, **labels), n)

    def count(self, what: CounterKey, n: float = 1) -> None:
        """`add` for what is counted with each request."""
        with self._lock:
            self._values[what] += n  # type: ignore[assignment]

    def latest(self, what: CounterKey, moment: float) -> None:
        """When something happened last, in Unix seconds; 0 forgets it."""
        with self._lock:
            self._values[what] = max(self._values[what], moment) if moment else 0  # type: ignore[assignment]

    def read(self) -> dict[CounterKey, float]:
        with self._lock:
            return dict(self._values)


class Sentences:
    """Says what became of each event, thinned when there are too many to read. Any thread may call it."""

    def __init__(self, successes: int = LINES_PER_SECOND) -> None:
        """`successes`: how many of them have a line of their own in a second; 0: they are summed up."""
        self._lock = threading.Lock()
        self._successes = successes
        self._minute, self._told = 0, set[str]()
        self._second = 0
        self._written: Counter[int] = Counter()
        self._held: Counter[tuple[int, str]] = Counter()

    def sent(self, event_name: str, *event_ids: str) -> None:
        self._say(logging.INFO, SENT.format(event_name), event_ids, {})

    def failed(self, event_name: str, *event_ids: str, why: str, said: Mapping[str, object] | None = None) -> None:
        """It will not be sent any more: Meta refused it, or it grew too old. `said`: what Meta said."""
        self._say(logging.WARNING, FAILED.format(event_name), event_ids, {"reason": why, **(said or {})})

    def error(self, event_name: str, *event_ids: str, why: str) -> None:
        """It could not be put to Meta; what is intact is tried again."""
        self._say(logging.ERROR, ERROR.format(event_name), event_ids, {"reason": why})

    def outage(self, event_name: str, n: int, why: str) -> None:
        """That many events of this name could not be put to Meta and wait. An outage lasts, and each of its events is
        tried again and again: once a minute for each name is what an alarm needs."""
        if why in PATIENCE:
            return
        with self._lock:
            minute = int(time.monotonic() // 60)
            if minute != self._minute:
                self._minute, self._told = minute, set()
            if event_name in self._told or len(self._told) >= LINES_PER_SECOND:
                return
            self._told.add(event_name)
            logger.error(ERROR.format(event_name), extra={"reason": why, "count": n})

    def flush(self) -> None:
        """Writes the sums that are still held back; for the end of a run."""
        with self._lock:
            self._write_held()

    def _say(self, level: int, sentence: str, event_ids: Sequence[str], fields: Mapping[str, object]) -> None:
        with self._lock:
            second = int(time.monotonic())
            if second != self._second:
                self._write_held()
                self._second = second
                self._written.clear()
            most = self._successes if level == logging.INFO else LINES_PER_SECOND
            room = max(0, most - self._written[level])
            for event_id in event_ids[:room]:
                logger.log(level, sentence, extra={"event_id": without_digests(event_id).replace(" ", "%20"), **fields})
            self._written[level] += len(event_ids[:room])
            if len(event_ids) > room:
                self._held[level, sentence] += len(event_ids) - room

    def _write_held(self) -> None:
        for (level, sentence), n in self._held.items():
            logger.log(level, sentence, extra={"count": n})
        self._held.clear()


class NoSecrets(logging.Filter):
    """The last net: strikes known secrets, e-mail addresses and phone numbers out of everything that a record holds.

    Secrets shorter than six characters are left alone: they would blank out parts of ordinary words.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = sorted((s for s in secrets if len(s) >= 6), key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._struck(record.getMessage()), None
        if record.exc_info:
            record.exc_text, record.exc_info = logging.Formatter().formatException(record.exc_info), None
        for name, value in record.__dict__.items():
            if name not in ("msg", "levelname", "name", "pathname") and not isinstance(value, int | float | None):
                text = str(value)  # as a line of the log shows a list, an object, an error
                record.__dict__[name] = value if (struck := self._struck(text)) == text else struck
        return True

    def _struck(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = without_digests(text)
        return without_persons(text)


def without_persons(text: str) -> str:
    """The text with every e-mail address and phone number struck out. In a disguise nothing is struck out by halves:
    then a line is "***" as a whole."""
    if held(text) is None:
        return text
    parts, read = [], 0
    for begin, end in sorted([*email_spans(text), *((number.begin, number.end) for number in phone_spans(text))]):
        if begin >= read:
            parts += [text[read:begin], "***"]
            read = end
    struck = "".join([*parts, text[read:]])
    return struck if held(struck) is None else "***"


class JsonLines(logging.Formatter):
    """One JSON object per line, in UTC. A line break in a value is escaped, so no value can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _RECORD_FIELDS}
        if record.exc_text:
            line["exception"] = record.exc_text
        import json  # a program that has two lines of ours formats its log by itself

        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """For a person at a terminal, in local time. A blank stands for each character that could steer the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        extra = " ".join(f"{k}={v}" for k, v in record.__dict__.items() if k not in _RECORD_FIELDS)
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        line = f"{clock} {record.levelname.lower():<7} {record.getMessage()}" + (f"  {extra}" if extra else "")
        told = [line, *(f"  {one}" for one in (record.exc_text or "").split("\n") if one)]  # no value forges a line
        return "\n".join("".join(c if c.isprintable() else " " for c in one) for one in told)


_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "taskName",
    "color_message",
    "asctime",
}


def configure_logging(log_format: str, secrets: Iterable[str]) -> None:
    """Sends everything that this process logs, its libraries included, to stderr through `NoSecrets`.

    `log_format`: "json", "text", or "auto" (text at a terminal, else JSON).
    """
    handler = logging.StreamHandler(sys.stderr)
    as_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextLines() if as_text else JsonLines())
    handler.addFilter(NoSecrets(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logger.setLevel(logging.INFO)


def tell_supervisor(state: str) -> None:
    """To systemd, where it started this process: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html"""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] in ("/", "@"):
        import socket

        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


def tell_watchdog() -> None:
    """Called from what would hang if this process did: systemd's WatchdogSec kills a process that is silent so long."""
    if "WATCHDOG_USEC" in os.environ:
        tell_supervisor("WATCHDOG=1")
