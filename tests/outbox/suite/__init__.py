"""One suite for every outbox: if a promise of `outbox/protocol.py` is not here, it is not one.

A suite for each part that a store may have. A store's test module is one class for each part, or one class for all:

    class TestMine(MyBackend, QueueSuite, LeasesSuite): ...

where `MyBackend(Backend)` opens the store. A suite calls the public verbs alone; what differs between stores on the
test's side (how its time passes, how a consumer reads it) is a hook of `Backend`.
"""

from tests.outbox.suite.backend import DAY, NOW, REFUSED, Backend, claim, sealed, settle_all

__all__ = ["DAY", "NOW", "REFUSED", "Backend", "claim", "sealed", "settle_all"]
