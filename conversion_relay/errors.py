"""What the caller got wrong. Everything else - Meta's answers, the network, a refused event - is a value.

RelayError
├── InvalidEvent        the event cannot be sent; carries the field, the rule and the remedy
├── SettingsError       a setting is missing or malformed; names the variable, never its value
├── SignatureError      a webhook is not from who it says; carries a reason safe to log
├── LeaseLost           another worker holds these events now; what this one did is void
└── OutboxUnavailable   nothing was made durable: answer 503 and let the sender try again
    └── UnsupportedByOutbox   this kind of outbox has no such verb: answer 501, trying again does not help
"""


class RelayError(Exception):
    """Any error this package raises on purpose."""


class InvalidEvent(RelayError):
    """The event cannot be accepted as it is."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.reason = reason
        self.field = field
        self.message = message


class SettingsError(RelayError):
    """The process cannot start with these settings (exit code 78, EX_CONFIG)."""


class SignatureError(RelayError):
    """The webhook's signature does not vouch for its body."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field


class LeaseLost(RelayError):
    """The lease ran out and was given to somebody else; nothing was settled."""


class OutboxUnavailable(RelayError):
    """The outbox could not commit (disk full, locked, closing). Nothing was stored."""


class UnsupportedByOutbox(OutboxUnavailable):
    """This kind of outbox cannot do it; the message says what to do instead."""
