"""The end of events whose dataset is no longer configured.

What could go wrong. Such events are kept and not sent, since the dataset may come back. Nobody claims them, so nobody
would find that Meta takes them no more: the visitor's address and browser would stay in the outbox for good, and the
event would never end.

The rule: house-keeping claims what is over of them and settles it as expired, as a turn of a configured dataset does.
How late it is tells Meta's clock, where an answer of another dataset brought it; our own may be wrong, and is believed
a week later. What can still be sent goes back as it was.

Rejected: to ask Meta for the time (as whom?).
"""

from collections.abc import Collection

from conversion_relay.outbox import DeadLetters
from conversion_relay.outbox.protocol import Lease, Leases
from conversion_relay.outbox.verdict import Expired

MARGIN_SECONDS = 7 * 86_400.0
"""By which our own clock may be ahead, where Meta's is not known."""
LEASE_SECONDS = 60.0
AT_ONCE, MOST_LEASES = 500, 20
"""Events of one claim, and claims that are held together: what tells of money stands first, whatever its deadline."""


def expire_stranded(outbox: Leases, configured: Collection[str], now: float, *, is_metas: bool, wall: float) -> int:
    """How many ended. `now`: Unix seconds, of Meta's clock where `is_metas`; `wall`: of ours, by which an outbox
    keeps its order."""
    if not isinstance(outbox, DeadLetters):
        return 0
    over = now if is_metas else now - MARGIN_SECONDS
    names = [
        name
        for name, book in outbox.counts().items()
        if name not in configured and book.pending and (book.nearest_expiry_at or over) < over
    ]
    return sum(_expire(outbox, name, over, wall) for name in names)


def _expire(outbox: Leases, name: str, over: float, wall: float) -> int:
    held: list[Lease] = []
    ended = 0
    try:
        for claim in (outbox.claim, outbox.claim_suspects):
            while len(held) < MOST_LEASES and (lease := claim(name, AT_ONCE, LEASE_SECONDS, wall)):
                old = [event for event in lease.events if event.expires_at < over]
                if len(old) < len(lease.events):
                    held.append(lease)
                if old:
                    outbox.settle(lease, [(Expired(), old)], None, wall)
                    ended += len(old)
    finally:
        for lease in held:
            outbox.release(lease)
    return ended
