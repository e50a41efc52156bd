"""A second outbox, in memory: the proof that the promises of `outbox/protocol.py` say enough to write a store by them.

A `Store` (`memory_store.py`) is what PostgreSQL would be. A `MemoryOutbox` is one machine that uses it; two of them
over one Store are two machines. It passes the suite and the model by the protocol alone. `memory_sides.py` has the
visits and the meter.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from conversion_relay.errors import LeaseLost, OutboxUnavailable
from conversion_relay.event import PUBLIC_EVENT_NAMES, Receipt, SealedEvent
from conversion_relay.outbox import Attempt, Counts, Lease, LeasedEvent, Settlement, State, Story
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Hold, Park, RetryAt, Suspect, Verdict, Withhold
from tests.outbox.memory_sides import SidesVerbs
from tests.outbox.memory_store import Held, Row, Store

DAY = 86_400.0


class MemoryOutbox(SidesVerbs):
    def __init__(self, store: Store) -> None:
        self.store, self.wakers = store, []
        store.open_outboxes.add(self)

    # -- Queue ---------------------------------------------------------------------------------------------------------

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        with self.store.lock:
            self.probe()
            receipts = [self.insert(event, now) for event in events]
        self.wake(not all(receipt.duplicate for receipt in receipts))
        return receipts

    def insert(self, event: SealedEvent, now: float) -> Receipt:
        name = (event.dataset, event.event_name, event.event_id)
        if name in self.store.ledger:
            return Receipt(event.event_id, duplicate=True)
        row = Row(next(self.store.keys), event, event.event_id, now, event.body, event.consent)
        self.store.rows[row.key] = self.store.ledger[name] = row
        self.store.count_stored(name)
        return Receipt(event.event_id)

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        future: Future[list[Receipt]] = Future()
        future.set_result(self.put(events, now))
        return future

    def on_put(self, wake: Callable[[], None]) -> None:
        self.wakers.append(wake)

    def wake(self, is_due: bool) -> None:
        for wake in self.wakers if is_due else ():
            wake()

    def probe(self) -> None:
        if self not in self.store.open_outboxes:
            raise OutboxUnavailable("closed")

    def close(self) -> None:
        self.store.open_outboxes.discard(self)

    # -- Leases --------------------------------------------------------------------------------------------------------

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        with self.store.lock:
            self.store.shift(dataset, now)
            waiting = [row for row in self.store.of(dataset, "pending") if not row.is_suspect]
            can_go = [row for row in waiting if row.due_at is None and not row.is_held]
            fresh = [row for row in can_go if not row.is_backlog][:limit]
            backlog = sorted((row for row in can_go if row.is_backlog), key=lambda row: row.rank)
            backlog = backlog[: limit - min(len(fresh), limit // 2)]
            return self.lease(dataset, fresh[: limit - len(backlog)] + backlog, now, lease_seconds)

    def claim_suspects(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        with self.store.lock:
            self.store.shift(dataset, now)
            rows = [row for row in self.store.of(dataset, "pending") if row.is_suspect and (row.due_at or 0.0) <= now]
            rows.sort(key=lambda row: (row.due_at or 0.0, row.key))
            return self.lease(dataset, rows[:limit], now, lease_seconds)

    def suspects(self, now: float) -> dict[str, float]:
        with self.store.lock:
            due: dict[str, float] = {}
            for row in self.store.rows.values():
                if row.state == "pending" and row.is_suspect:
                    at = row.due_at or 0.0
                    due[row.event.dataset] = min(at, due.get(row.event.dataset, at))
            return due

    def lease(self, dataset: str, rows: list[Row], now: float, lease_seconds: float) -> Lease | None:
        if not rows:
            return None
        token = f"lease {next(self.store.keys)}"
        self.store.leases[token] = Held(self, now, self.store.clock() + lease_seconds, {r.key: r for r in rows})
        for row in rows:
            row.state = "leased"
        return Lease(token=token, dataset=dataset, events=tuple(row.leased() for row in rows))

    def extend(self, lease: Lease, lease_seconds: float) -> None:
        held = self.store.leases.get(lease.token)
        if held is None or held.owner is not self:
            raise LeaseLost("the lease is over")
        held.until = self.store.clock() + lease_seconds

    def release(self, lease: Lease) -> None:
        with self.store.lock:
            self.store.free(lease.token, unsent=True)

    def revoked(self, events: Sequence[LeasedEvent]) -> frozenset[int]:
        rows = {event.key: self.store.rows.get(event.key) for event in events}
        return frozenset(k for k, row in rows.items() if not row or row.state != "leased" or row.consent == "withdrawn")

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        with self.store.lock:
            held = self.store.leases.get(lease.token)
            if held is None or not {event.key for _, events in settlements for event in events} <= held.rows.keys():
                raise LeaseLost("another worker holds these events now")
            for verdict, events in settlements:
                for event in events:
                    if (row := held.rows.pop(event.key)).state == "leased":
                        self.apply(row, verdict, attempt, now)
            if not held.rows:
                del self.store.leases[lease.token]

    def apply(self, row: Row, verdict: Verdict, attempt: Attempt | None, now: float) -> None:
        if row.consent == "withdrawn" and not isinstance(verdict, Delivered | Expired | Withhold):
            return row.end("erased", "withdrawn", now)
        row.history = row.history + [attempt] * (attempt is not None and not isinstance(verdict, Hold))
        row.attempts += isinstance(verdict, Delivered | Dead | RetryAt)
        match verdict:
            case Delivered():
                row.end("delivered", None, now)
            case Dead(why=why):
                row.end("dead", why, now)
            case Expired():
                row.end("expired", "too_old", now)
            case Withhold(why=why):
                row.end("erased", why, now)
            case Hold(why=why):
                row.state, row.is_held, row.reason = "pending", True, why
            case RetryAt(why=why, sent=sent) | Park(why=why, sent=sent):
                row.reason = why
                row.sent_at = now if sent and row.sent_at is None else row.sent_at
                row.wait(verdict.at if isinstance(verdict, RetryAt) else verdict.aside)
            case Suspect(at=at, sent=sent):
                row.reason = "suspect"
                row.sent_at = now if sent and row.sent_at is None else row.sent_at
                row.wait(at)
                row.is_suspect = True
        return None

    def waiting(self, now: float) -> dict[str, float]:
        with self.store.lock:
            for token, held in list(self.store.leases.items()):
                if held.until <= self.store.clock() or held.owner not in self.store.open_outboxes:
                    self.store.free(token, unsent=False)
            due: dict[str, float] = {}
            for row in self.store.rows.values():
                if row.state == "pending" and not row.is_suspect:
                    at = row.event.expires_at if row.is_held else row.due_at or 0.0
                    due[row.event.dataset] = min(at, due.get(row.event.dataset, at))
            return due

    # -- Operator ------------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, Counts]:
        with self.store.lock:
            books = self.store.books + Counter((row.event.dataset, row.state) for row in self.store.rows.values())
            return {dataset: self.book(dataset, books) for dataset in sorted({dataset for dataset, _ in books})}

    def book(self, dataset: str, books: Counter[tuple[str, State]]) -> Counts:
        states = {state: n for (name, state), n in books.items() if name == dataset}
        waiting = self.store.of(dataset, "pending")
        oldest = min((row.accepted_at for row in waiting), default=None)
        expiry = min((row.event.expires_at for row in waiting), default=None)
        accepted = sum(states.values())
        return Counts(accepted=accepted, oldest_pending_at=oldest, nearest_expiry_at=expiry, **states)

    def stories(self, rows: Iterable[Row], limit: int) -> list[Story]:
        return [row.story() for row in itertools.islice(rows, limit)]

    def find(self, event_id: str) -> list[Story]:
        return self.stories((row for row in self.store.rows.values() if row.event_id == event_id), 1_000)

    def recent(self, limit: int = 50) -> list[Story]:
        return self.stories(reversed(self.store.rows.values()), limit)

    def dead(self, limit: int = 100) -> list[Story]:
        dead = [row for row in self.store.rows.values() if row.state == "dead"]
        return self.stories(sorted(dead, key=lambda row: row.settled_at or 0, reverse=True), limit)

    def held(self, limit: int = 100) -> list[Story]:
        return self.stories((row for row in self.store.rows.values() if row.is_held), limit)

    def replay(self, now: float, event_ids: Sequence[str] | None = None) -> int:
        with self.store.lock:
            rows = [row for row in self.store.rows.values() if row.body is not None and row.event.expires_at > now]
            rows = [row for row in rows if row.state == "dead" or row.is_held]
            rows = [row for row in rows if event_ids is None or row.event_id in event_ids]
            for row in rows:
                row.wait()
                row.attempts, row.reason, row.sent_at, row.settled_at = 0, None, None, None
        self.wake(bool(rows))
        return len(rows)

    def erase(self, digests: Sequence[str], now: float) -> int:
        with self.store.lock:
            erased = 0
            for row in list(self.store.rows.values()):
                is_named = any(digest in row.event_id for digest in digests)
                holds = is_named or any(digest.encode() in (row.body or b"") for digest in digests)
                if holds and row.state != "erased":
                    self.store.forget_visit(row.event_id, row.body)
                    row.end("erased", "erased", now)
                    row.event_id = f"erased_{row.key}" if is_named else row.event_id
                    erased += 1
            self.store.forget_names(digests)
            return erased

    def withdraw(self, dataset: str, event_ids: Sequence[str], now: float) -> int:
        with self.store.lock:
            rows = [row for row in self.store.rows.values() if row.event.dataset == dataset]
            rows = [row for row in rows if row.event_id in event_ids and row.event.event_name in PUBLIC_EVENT_NAMES]
            for row in rows:
                row.consent = "withdrawn" if row.state == "leased" else row.consent
            at_once = [row for row in rows if row.state in ("pending", "dead")]
            for row in at_once:
                row.end("erased", "withdrawn", now)
            return len(at_once)

    # -- Housekeeping --------------------------------------------------------------------------------------------------

    def tidy(self, now: float) -> int:
        with self.store.lock:
            return sum(
                self.store.shift(dataset, now) for dataset in {r.event.dataset for r in self.store.rows.values()}
            )

    def prune(self, now: float) -> int:
        with self.store.lock:
            dropped = 0
            for row in list(self.store.rows.values()):
                keeps = 90 * DAY if row.state == "dead" else 8 * DAY
                if row.settled_at is not None and row.settled_at < now - keeps:
                    dropped += 1
                    self.drop(row)
                elif row.state == "dead" and row.event.expires_at < now:
                    row.body = None
            return dropped + self.store.prune_sides(now)

    def drop(self, row: Row) -> None:
        name = (row.event.dataset, row.event.event_name, row.event.event_id)
        del self.store.rows[row.key], self.store.ledger[name]
        self.store.books[row.event.dataset, row.state] += 1
        self.store.pixel.pop(name, None)
