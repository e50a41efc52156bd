"""What the endpoints work with: the ports to the shop's own data, and the relay behind one verb, `track`.

The endpoints import this file, `site.py` imports the endpoints, and nothing imports `site.py` but the doors. A store or
a mailer of another kind implements a port and is given to `Shop`; no endpoint changes.
"""

import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from conversion_relay import Counters, Event, InvalidEvent, Relay, RequestFacts
from conversion_relay.course_site.courses import COURSES, Course

if TYPE_CHECKING:
    from email.message import EmailMessage

    from conversion_relay.webhooks import Webhooks

RENEW_SECONDS = 60.0
logger = logging.getLogger("conversion_relay.course_site")


class Registration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person's place in one course, with the visit it came from: the payment's webhook knows no browser."""

    registration_id: str
    course_id: str
    email: str
    name: str
    phone: str | None = None
    registered_at: float
    client_ip_address: str | None = None
    client_user_agent: str | None = None
    fbp: str | None = None
    fbc: str | None = None
    url: str | None = None
    consent: Literal["granted", "denied"] | None = None
    gpc: bool = False
    """The browser's Global Privacy Control, which counts for the payment as well."""
    fields: dict[str, str | int | float | bool] = {}
    """What else the form asked."""
    paid_at: int | None = None

    def __repr__(self) -> str:
        return f"Registration({self.registration_id})"


class Registrations(Protocol):
    """One registration per course and e-mail address; every verb is one conditional write or one read."""

    def register(self, registration: Registration) -> str | None:
        """Stores it; the id under which it is kept. An unpaid one of the same course and address is replaced and keeps
        its id: who sends a form twice has registered once. None when such a one is paid."""

    def find(self, registration_id: str) -> Registration | None:
        """By any id that was given out for this course and address: the newest registration, under the id asked for."""

    def mark_paid(self, registration_id: str, paid_at: int) -> bool:
        """False when it was marked before, or is not there."""


class Mail(Protocol):
    """How the contact form's mail leaves."""

    def send(self, message: "EmailMessage") -> None:
        """Raises OSError when it could not be handed over."""


class Shop:
    """The ports, the courses, and the secrets of Stripe. `clock` (Unix seconds) and `new_id` are arguments so that a
    test can hold them still. `read_secrets` reads anew what vouches for each provider's notices, where that is not in
    the settings alone; nothing where it cannot be read now."""

    def __init__(
        self,
        relay: Relay,
        registrations: Registrations,
        mail: Mail,
        *,
        stripe_secrets: Sequence[str],
        courses: Mapping[str, Course] = COURSES,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(12),
        counters: Counters | None = None,
        read_secrets: Callable[[], Mapping[str, Sequence[str]]] | None = None,
    ) -> None:
        self.relay, self.registrations, self.mail = relay, registrations, mail
        self.stripe_secrets, self.courses = stripe_secrets, courses
        self.clock, self.new_id, self.counters = clock, new_id, counters
        self._read_secrets, self._read_at = read_secrets, float("-inf")
        self._read: Mapping[str, Sequence[str]] = {}
        self.webhooks: Webhooks | None = None
        """Made by the first notice: a function of another route need not load it."""

    def secrets_of(self, provider: str) -> Sequence[str]:
        """What vouches for this payment provider's notices: as it was read last, else as the settings have it."""
        if provider in self._read:
            return self._read[provider]
        if provider == "stripe":
            return self.stripe_secrets
        return [secret.reveal() for secret in self.relay.settings.webhook_secrets.get(provider, ())]

    def renew_secrets(self, provider: str) -> bool:
        """Asked when a signature did not fit: whether these secrets have changed where they are kept. Looked up
        at most once a minute, since anybody can send a wrong signature."""
        now = self.clock()
        if self._read_secrets is None or now - self._read_at < RENEW_SECONDS:
            return False
        before, self._read_at = list(self.secrets_of(provider)), now
        self._read = self._read_secrets() or self._read
        return before != list(self.secrets_of(provider))

    def track(self, event: Event, facts: RequestFacts) -> str | None:
        """Durable when it returns; the id that Meta will get. None when the visitor declined, or when the event cannot
        be sent: that is no reason to turn a customer away. Raises OutboxUnavailable."""
        try:
            return self.relay.track(event, facts).event_id
        except InvalidEvent as error:
            fields = {"event": event.event_name, "reason": error.reason, "field": error.field}
            logger.warning("An event of the site was not accepted", extra=fields)
            return None


registration_decoder = msgspec.json.Decoder(Registration)
