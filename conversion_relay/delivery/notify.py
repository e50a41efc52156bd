"""Tells a person of what needs one (RELAY_NOTIFY): once for each cause, and once more when it is over.

What could go wrong. A dead token refuses a thousand requests a minute: a thousand messages, and nobody reads the next
one. Four processes see the same cause. A process restarts and tells it again. The receiver is down when it matters, or
hangs, and who waits for it writes no sign of life. A token is renewed by a restart: the new process never saw the cause
that is over, and the next one would count as told.

The rule. What needs a person is asked of `attention.py`, every few seconds. A cause is taken down in the outbox before
it is told, in one transaction, so one process tells it, however many run and restart; when the message cannot be
brought, the note is taken back and it is tried again, later each time. A cause that is over for QUIET seconds is told
as over; so is one that an earlier process took down and that nobody has seen for FORGOTTEN seconds. Messages are
brought by a thread of their own, one after the other.

mailto:you@example.com[?smtp=host:port] sends a mail; https://hooks.slack.com/..., and others that take Slack's form,
get {"text": ...}; any other https:// address gets JSON with cause, what and fix. No message names a person or a secret.
"""

import threading
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import msgspec

from conversion_relay.delivery.attention import Need, needs
from conversion_relay.delivery.installation import known
from conversion_relay.errors import OutboxUnavailable, without_variables
from conversion_relay.http_client import HttpClient, Response
from conversion_relay.meta.remedies import remedy
from conversion_relay.outbox import Overview, Queue, located
from conversion_relay.settings import Settings
from conversion_relay.settings.values import mail_server
from conversion_relay.telemetry import logger

EVERY = 3.0
QUIET = 5.0
FORGOTTEN = 120.0
"""Seconds after which a cause that only an earlier process saw is over; a dead token is found out before."""
SEE_AGAIN = FORGOTTEN / 4
"""Seconds between two notes that a cause is still seen."""
LONGEST = 300.0
"""Seconds until what could not be brought is tried again, at most."""
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


Bring = Callable[[str, Message], str | None]
"""Brings a message to an address; why it did not arrive, None when it did."""
Told = tuple[str, Need]
"""raised or over, and what of."""


class Notifier:
    """Call it every second."""

    def __init__(
        self,
        outbox: Queue,
        settings: Settings,
        clock: Callable[[], float],
        bring: Bring | None = None,
        aside: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """`aside`: runs something that may take its time; by default in a thread."""
        self._outbox = outbox if isinstance(outbox, Overview) and isinstance(outbox, Queue) else None
        self._settings = msgspec.structs.replace(settings, outbox=located(settings.outbox))
        self._clock = clock
        self._bring, self._aside = bring or deliver, aside or _in_a_thread
        self._addresses = [address.reveal() for address in settings.notify]
        self._next = 0.0
        self._failed = 0
        self._raised: dict[str, tuple[Need, float]] = {}
        """By cause: the need, and when it was seen last."""
        self._seen_again = 0.0
        self._missing: dict[str, tuple[float, float]] = {}
        """Causes that somebody took down and that are not seen here: when another saw it last, and since when he has
        not. A cause may be of his machine alone, such as its disk."""
        self._under_way: list[Told] = []
        self._arrived: list[bool] = []
        """Of those, from the first one on."""

    def use(self, settings: Settings) -> None:
        """New settings: which datasets there are, and who is told; the outbox stays the one that is open."""
        self._settings = msgspec.structs.replace(settings, outbox=self._settings.outbox)
        self._addresses = [address.reveal() for address in settings.notify]

    def __call__(self) -> None:
        now = self._clock()
        if self._outbox is None or not self._addresses or len(self._arrived) < len(self._under_way):
            return
        try:
            self._take_down(self._outbox)
            if 0 <= self._next - now <= LONGEST:
                return
            self._next = now + EVERY
            found = known(self._outbox, self._settings, now)
            current = needs(found)
            is_again = not 0 <= self._seen_again - now <= SEE_AGAIN
            if is_again:
                self._seen_again = now + SEE_AGAIN
            work = [("raised", need) for need in current if self._is_new(self._outbox, need, now, is_again)]
            work += [("over", need) for need in self._over(self._outbox, {need.cause for need in current}, now)]
            if work:
                self._begin(self._outbox, work, now)
        except OutboxUnavailable:
            return  # whoever writes says so

    def _begin(self, outbox: Overview, work: list[Told], now: float) -> None:
        self._under_way, self._arrived = work, []
        try:
            self._aside(lambda: self._tell(work, now))
        except RuntimeError as error:  # no thread: nothing arrived, and the next call takes that down
            logger.error("Nobody could be notified; it is tried again", extra={"reason": str(error)})
            self._arrived = [False] * len(work)
        if len(self._arrived) == len(work):
            self._take_down(outbox)

    def _is_new(self, outbox: Overview, need: Need, now: float, is_again: bool) -> bool:
        known_before = need.cause in self._raised and not is_again
        self._raised[need.cause] = need, now
        return not known_before and outbox.take_notice(need.cause, now)

    def _over(self, outbox: Overview, current: set[str], now: float) -> list[Need]:
        for cause, at in outbox.notices():
            if cause in current or cause in self._raised:
                self._missing.pop(cause, None)
                continue
            seen_at, since = self._missing.get(cause, (at, now))
            self._missing[cause] = at, since if at == seen_at else now
            if now - self._missing[cause][1] >= FORGOTTEN:
                self._raised[cause] = _of_cause(cause), self._missing.pop(cause)[1]
        ended = []
        for cause, (need, seen_at) in list(self._raised.items()):
            if now - seen_at > QUIET:
                del self._raised[cause]
                if outbox.drop_notice(cause):
                    ended.append(need)
        return ended

    def _take_down(self, outbox: Overview) -> None:
        """What could not be brought: it will be tried again as if it had not been tried."""
        for (event, need), arrived in zip(self._under_way, self._arrived, strict=True):
            if arrived:
                continue
            if event == "raised":
                outbox.drop_notice(need.cause)
                self._raised.pop(need.cause, None)
            elif need.cause not in self._raised and outbox.take_notice(need.cause, self._clock()):
                self._raised[need.cause] = need, 0.0
        if self._under_way:
            self._failed = 0 if any(self._arrived) else self._failed + 1
            if self._failed:
                self._next = self._clock() + min(LONGEST, EVERY * 2 ** min(self._failed, 10))
        self._under_way, self._arrived = [], []

    def _tell(self, work: list[Told], now: float) -> None:
        for event, need in work:
            message = Message(event=event, cause=need.cause, urgent=need.urgent, what=need.what, fix=need.fix, at=now)
            reasons = []
            for number, address in enumerate(self._addresses, 1):
                if (why := self._bring(address, message)) is not None:
                    reasons.append(f"address {number} ({address.partition(':')[0]}): {why}")
            arrived = len(reasons) < len(self._addresses)
            if reasons:
                said = "Somebody could not be notified" if arrived else "Nobody could be notified; it is tried again"
                logger.error(said, extra={"cause": need.cause, "reason": "; ".join(reasons)})
            self._arrived.append(arrived)


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True, name="notifier").start()


def _of_cause(cause: str) -> Need:
    """What an earlier process told of, as far as its name tells it."""
    kind, _, dataset = cause.partition(":")
    told = remedy(kind)
    what = told.what if told else kind.replace("_", " ")
    return Need(cause=cause, urgent=False, what=f"dataset {dataset}: {what}" if dataset else what, fix="")


def deliver(address: str, message: Message) -> str | None:
    """Why it did not arrive; None when it did. Raises nothing."""
    try:
        if not address.startswith("mailto:"):
            return _post(address, message)
        _mail(address, message)
    except (OSError, ValueError) as error:
        return type(error).__name__
    except Exception as error:
        without_variables(error)  # an address may be a secret, as Slack's is
        logger.exception("A notification failed")
        return "an error of ours"
    return None


def _post(address: str, message: Message) -> str | None:
    is_slack = any(part in address for part in _SLACKS)
    body = msgspec.json.encode({"text": message.text} if is_slack else message)
    client = HttpClient()
    try:
        answer = client.post(address, {"Content-Type": "application/json"}, body, DEADLINE)
    finally:
        client.close()
    if not isinstance(answer, Response):
        return f"no answer ({answer.why})"
    return None if 200 <= answer.status < 300 else f"answered {answer.status}"


def _mail(address: str, message: Message) -> None:
    import smtplib  # few are told by mail, and every worker starts
    from email.message import EmailMessage

    parts = urlsplit(address)
    host, port = mail_server(parts.query)
    mail = EmailMessage()
    mail["To"], mail["From"] = unquote(parts.path), f"conversion-relay@{host}"
    mail["Subject"] = f"Conversion Relay: {message.what if message.event == 'raised' else 'over: ' + message.what}"[
        :150
    ]
    mail.set_content(message.text)
    with smtplib.SMTP(host, port, timeout=DEADLINE) as server:
        server.send_message(mail)
