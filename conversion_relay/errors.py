"""The exceptions of this package: a caller's mistake, or something that only the caller can decide about.

What Meta answers, what the network does and what the door refuses are values, never exceptions.

RelayError
├── InvalidEvent        the event cannot be sent; carries the field, the rule and the remedy
├── SettingsError       a setting is missing or malformed; names the variable, never its value
├── SignatureError      a webhook is not from who it says; carries a reason safe to log
├── LeaseLost           the lease ran out and another worker has these events; nothing was settled
└── OutboxUnavailable   nothing was made durable: answer 503 and let the sender try again
    └── UnsupportedByOutbox   this kind of outbox has no such verb: answer 501, trying again does not help
"""

import errno


class RelayError(Exception):
    """Any error this package raises on purpose. Each can be pickled: one that a job of a process pool raises goes back
    to who asked, and a pool that cannot read it hangs or breaks."""


class InvalidEvent(RelayError):
    """The event cannot be accepted as it is; `reason`, `field` and `message` as in `event.Rejection`."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.reason = reason
        self.field = field
        self.message = message

    def __reduce__(self) -> tuple[type["InvalidEvent"], tuple[str, str, str]]:
        return type(self), (self.reason, self.field, self.message)


class SettingsError(RelayError):
    """The process cannot start with these settings (exit code 78, EX_CONFIG)."""


class SignatureError(RelayError):
    """The webhook's signature does not fit its body, its time or our secret: answer 400 and do nothing."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field

    def __reduce__(self) -> tuple[type["SignatureError"], tuple[str, str, str]]:
        return type(self), (self.reason, self.field, str(self))


class LeaseLost(RelayError):
    """The lease ran out and another worker has these events; nothing was settled. Claim anew."""


class OutboxUnavailable(RelayError):
    """The outbox could not commit (disk full, locked, closing). Nothing was stored: let the sender try again."""


class UnsupportedByOutbox(OutboxUnavailable):
    """This kind of outbox cannot do it; the message says what to do instead."""


TOO_FEW_FILES = "this process may open no more files: raise its limit (`ulimit -n`, LimitNOFILE= of its unit)"


def is_short_of_files(error: OSError) -> bool:
    """Whether the limit of this process or of the machine is reached, whatever it was about to open."""
    return error.errno in (errno.EMFILE, errno.ENFILE)
