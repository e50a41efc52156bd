"""Tells a person of what needs one (RELAY_NOTIFY): once for each cause, and once more when it is over.

What could go wrong. A dead token refuses a thousand requests a minute: a thousand messages, and nobody reads the next
one. Four processes see the same cause. A process restarts and tells it again. The receiver is down when it matters.

The rule. What needs a person is asked of `attention.py`, every few seconds. A cause is taken down in the outbox before
it is told, in one transaction, so one process tells it, however many run and restart; when the message cannot be
brought, the note is taken back and it is tried again. A cause that is over for QUIET seconds is told as over.

mailto:you@example.com[?smtp=host:port] sends a mail; https://hooks.slack.com/..., and others that take Slack's form,
get {"text": ...}; any other https:// address gets JSON with cause, what and fix. No message names a person or a secret.
"""

from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from conversion_relay.delivery.attention import Need, needs
from conversion_relay.delivery.installation import known
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.http_client import HttpClient, Response
from conversion_relay.outbox import Overview, Queue, located
from conversion_relay.settings import Settings
from conversion_relay.telemetry import logger

EVERY = 3.0
QUIET = 5.0
DEADLINE = 10.0
_SLACKS = ("hooks.slack.com", "/hooks/", "/slack", "chat.googleapis.com")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """As a generic webhook gets it."""

    source: str = "conversion-relay"
    event: str
    """raised, or over."""
    cause: str
    urgent: bool
    what: str
    fix: str
    at: float

    @property
    def text(self) -> str:
        if self.event == "over":
            return f"Over: {self.what}"
        return f"{'ACT NOW: ' if self.urgent else ''}{self.what}\nWhat to do: {self.fix}"


Bring = Callable[[str, Message], bool]
"""Brings a message to an address; whether it arrived."""


class Notifier:
    """Call it every second."""

    def __init__(
        self, outbox: Queue, settings: Settings, clock: Callable[[], float], bring: Bring | None = None
    ) -> None:
        self._outbox = outbox if isinstance(outbox, Overview) and isinstance(outbox, Queue) else None
        self._settings = msgspec.structs.replace(settings, outbox=located(settings.outbox))
        self._clock = clock
        self._bring = bring or deliver
        self._addresses = [address.reveal() for address in settings.notify]
        self._next = 0.0
        self._raised: dict[str, tuple[Need, float]] = {}
        """By cause: the need, and when it was seen last."""

    def use(self, settings: Settings) -> None:
        """New settings: which datasets there are, and who is told; the outbox stays the one that is open."""
        self._settings = msgspec.structs.replace(settings, outbox=self._settings.outbox)
        self._addresses = [address.reveal() for address in settings.notify]

    def __call__(self) -> None:
        now = self._clock()
        if self._outbox is None or not self._addresses or 0 <= self._next - now <= EVERY:
            return
        self._next = now + EVERY
        try:
            found = known(self._outbox, self._settings, now)
            for need in needs(found):
                self._raise(need, now)
            for cause, (need, seen_at) in list(self._raised.items()):
                if now - seen_at > QUIET:
                    self._end(cause, need, now)
        except OutboxUnavailable:
            return  # whoever writes says so

    def _raise(self, need: Need, now: float) -> None:
        assert self._outbox is not None
        known_before = need.cause in self._raised
        self._raised[need.cause] = need, now
        if known_before or not self._outbox.take_notice(need.cause, now):
            return
        if not self._tell("raised", need, now):
            self._outbox.drop_notice(need.cause)
            del self._raised[need.cause]

    def _end(self, cause: str, need: Need, now: float) -> None:
        assert self._outbox is not None
        if self._outbox.drop_notice(cause):
            self._tell("over", need, now)
        del self._raised[cause]

    def _tell(self, event: str, need: Need, now: float) -> bool:
        message = Message(event=event, cause=need.cause, urgent=need.urgent, what=need.what, fix=need.fix, at=now)
        brought = [self._bring(address, message) for address in self._addresses]
        if not any(brought):
            logger.error("Nobody could be notified; it is tried again", extra={"cause": need.cause})
        return any(brought)


def deliver(address: str, message: Message) -> bool:
    """Whether it arrived. Raises nothing."""
    try:
        return _mail(address, message) if address.startswith("mailto:") else _post(address, message)
    except (OSError, ValueError):
        return False


def _post(address: str, message: Message) -> bool:
    is_slack = any(part in address for part in _SLACKS)
    body = msgspec.json.encode({"text": message.text} if is_slack else message)
    client = HttpClient()
    try:
        answer = client.post(address, {"Content-Type": "application/json"}, body, DEADLINE)
    finally:
        client.close()
    return isinstance(answer, Response) and 200 <= answer.status < 300


def _mail(address: str, message: Message) -> bool:
    import smtplib  # few are told by mail, and every worker starts
    from email.message import EmailMessage

    parts = urlsplit(address)
    host, _, port = parse_qs(parts.query).get("smtp", ["localhost"])[0].partition(":")
    mail = EmailMessage()
    mail["To"], mail["From"] = unquote(parts.path), f"conversion-relay@{host}"
    mail["Subject"] = f"Conversion Relay: {message.what if message.event == 'raised' else 'over: ' + message.what}"[
        :150
    ]
    mail.set_content(message.text)
    with smtplib.SMTP(host, int(port or 25), timeout=DEADLINE) as server:
        server.send_message(mail)
    return True
