"""What the operator reads: log sentences and counters.

The three sentences (SENT, FAILED, ERROR) are fixed, to the letter: alarms and metric filters of sites in production
match on them. Each is about one event, and which one is said depends on what can still happen:
- SENT: Meta took it.
- FAILED: it will not be sent any more (Meta refused it, or it grew too old).
- ERROR: it could not be put to Meta (an outage, a dead token, a damaged row). What is intact is tried again. In an
  outage it is said once a minute for each event name, with the number of events of that try.

Thinning. A backlog of a million events would write a million lines, and the one failure among them would not be found.
Above LINES_PER_SECOND, for each level, the rest of the second is summed up: one line per sentence, with a `count`. By
level, so that successes never use up the lines of failures. `flush` writes the last second's sums at the end.

The last net. No caller logs a person or a token; each logs event ids, codes and counts. `NoSecrets` stands under every
handler all the same, because libraries log too, and a traceback shows arguments: it strikes out every configured secret
and whatever looks like an e-mail address, in message, members and traceback. It is a net and no licence: it cannot
know a phone number or a name.
"""

import json
import logging
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

logger = logging.getLogger("conversion_relay")

SENT = "Meta Conversions API {} event sent successfully"
FAILED = "Failed to send Meta Conversions API {} event"
ERROR = "Error sending Meta Conversions API {} event"
LINES_PER_SECOND = 100
"""For each level; what is more in a second is summed up."""
PATIENCE = frozenset({"throttled"})
"""Why events wait without an error: Meta answered, and asks for time."""


class Counters:
    """Numbers that only grow, by name and labels. Any thread may add; /metrics and CloudWatch's EMF read them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def add(self, name: str, n: float = 1, **labels: str) -> None:
        with self._lock:
            self._values[name, tuple(sorted(labels.items()))] += n  # type: ignore[assignment]

    def read(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
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
                logger.log(level, sentence, extra={"event_id": event_id, **fields})
            self._written[level] += len(event_ids[:room])
            if len(event_ids) > room:
                self._held[level, sentence] += len(event_ids) - room

    def _write_held(self) -> None:
        for (level, sentence), n in self._held.items():
            logger.log(level, sentence, extra={"count": n})
        self._held.clear()


class NoSecrets(logging.Filter):
    """The last net: strikes known secrets and e-mail addresses out of everything that a record holds.

    Secrets shorter than six characters are left alone: they would blank out parts of ordinary words.
    """

    _EMAIL = re.compile(r"[^\s\"'<>(),;:=&?/]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = sorted((s for s in secrets if len(s) >= 6), key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._struck(record.getMessage()), None
        for name, value in record.__dict__.items():
            if isinstance(value, str) and name not in ("msg", "levelname", "name", "pathname"):
                record.__dict__[name] = self._struck(value)
        if record.exc_info:
            record.exc_text = self._struck(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True

    def _struck(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return self._EMAIL.sub("***", text) if "@" in text or "%40" in text else text


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
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """For a person at a terminal, in local time. Characters that could steer the terminal are left out."""

    def format(self, record: logging.LogRecord) -> str:
        extra = " ".join(f"{k}={v}" for k, v in record.__dict__.items() if k not in _RECORD_FIELDS)
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        line = f"{clock} {record.levelname.lower():<7} {record.getMessage()}" + (f"  {extra}" if extra else "")
        line = line if record.exc_text is None else f"{line}\n{record.exc_text}"
        return "".join(c for c in line if c == "\n" or c.isprintable())


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
