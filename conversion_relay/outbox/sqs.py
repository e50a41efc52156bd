"""The outbox on AWS: accepted events as messages of a queue that the delivery function reads.

SQS keeps a message on several machines before it answers, so a put is durable when it returns. A message holds up to
200 kB of events of one dataset, hashed, as ASCII: SQS refuses control characters and lone surrogates. It knows nothing
of event ids; copies collapse in the delivery function and at Meta. Lambda polls and leases, so claiming and settling
are not here but in `conversion_relay/aws/deliver.py`; what the operator's hand does is: dead letters, replay.
"""

import json
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.protocol import Attempt, Counts, Lease, LeasedEvent, Settlement, Sides, Story
from conversion_relay.signed_calls import AwsCalls, AwsError, AwsUnreachable

if TYPE_CHECKING:
    from concurrent.futures import Future

MOST_BYTES = 200_000
MOST_ENTRIES = 10
"""Messages in one SendMessageBatch."""
LOOK_SECONDS = 30
"""How long a look at the dead letters hides them from another one."""


class Kept(msgspec.Struct, frozen=True):
    """One event in a message. `body` is Meta's JSON, `checksum` its CRC-32."""

    event_name: str
    event_id: str
    event_time: int
    expires_at: int
    checksum: int
    body: str
    consent: Literal["granted"] | None = None


class Message(msgspec.Struct, frozen=True):
    """The body of an SQS message."""

    dataset: str
    accepted_at: float
    events: tuple[Kept, ...]


class SqsOutbox:
    """`sqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE[?dead=QUEUE]`; safe to use from several threads."""

    survives_restart = True
    shared_between_machines = True

    def __init__(self, url: str, calls: AwsCalls | None = None) -> None:
        parts = urlsplit(url)
        account, _, queue = parts.path.strip("/").rpartition("/")
        if not (parts.netloc and account and queue):
            raise SettingsError("RELAY_OUTBOX: expected sqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE")
        self._calls = calls or AwsCalls()
        dead = parse_qs(parts.query).get("dead", [f"{queue}-dead"])[0]
        self.queue_url = f"https://{parts.netloc}/{account}/{queue}"
        self.dead_url = f"https://{parts.netloc}/{account}/{dead}"

    # -- putting -----------------------------------------------------------------------------------------------------

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        """All of them, or OutboxUnavailable; then some may be queued, which their ids make harmless."""
        self.send(self.queue_url, [({}, body) for body in messages(events, now)])
        return [Receipt(event.event_id, duplicate=False) for event in events]

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        from concurrent.futures import Future

        future: Future[list[Receipt]] = Future()
        try:
            future.set_result(self.put(events, now))
        except OutboxUnavailable as error:
            future.set_exception(error)
        return future

    def send(self, queue_url: str, bodies: Sequence[tuple[dict[str, str], str]], delay: int = 0) -> None:
        """Messages with their attributes; only what failed is sent again, twice."""
        left = [
            {
                "Id": str(n),
                "MessageBody": body,
                "DelaySeconds": delay,
                "MessageAttributes": {
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            }
            for n, (attributes, body) in enumerate(bodies)
        ]
        for _ in range(3):
            left = [entry for group in _groups(left) for entry in self._send(queue_url, group)]
            if not left:
                return
        raise OutboxUnavailable("SQS did not take every message")

    def _send(self, queue_url: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those that SQS did not take."""
        try:
            said = self._calls.call("sqs", "AmazonSQS.SendMessageBatch", {"QueueUrl": queue_url, "Entries": entries})
        except (AwsError, AwsUnreachable) as error:
            raise OutboxUnavailable(f"SQS: {error}") from None
        taken = {entry.get("Id") for entry in said.get("Successful", ())}
        return [entry for entry in entries if entry["Id"] not in taken]

    # -- the operator's hand -------------------------------------------------------------------------------------------

    def dead(self, limit: int = 100) -> list[Story]:
        """Looks at dead letters without taking them; another look sees them again after half a minute."""
        return [story for message in self._dead_letters(limit) for story in _stories(message)][:limit]

    def held(self, limit: int = 100) -> list[Story]:
        """Held events are dead letters here, with the reason `ambiguous_late`."""
        return []

    def replay(self, now: float, event_ids: Sequence[str] | None = None) -> int:
        """Into the queue first, out of the dead letters then: a crash in between repeats, and loses nothing."""
        replayed = 0
        for message in self._dead_letters(100_000):
            letter = _read(message)
            if letter is None:
                continue
            chosen = [e for e in letter.events if e.expires_at > now and (event_ids is None or e.event_id in event_ids)]
            if not chosen:
                continue
            rest = [event for event in letter.events if event not in chosen]
            self.send(self.queue_url, [({}, encode(letter.dataset, now, chosen))])
            if rest:
                attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
                self.send(self.dead_url, [(attributes, encode(letter.dataset, letter.accepted_at, rest))])
            self._do("DeleteMessage", {"QueueUrl": self.dead_url, "ReceiptHandle": message["ReceiptHandle"]})
            replayed += len(chosen)
        return replayed

    def _dead_letters(self, limit: int) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        while len(found) < limit:
            said = self._do(
                "ReceiveMessage",
                {
                    "QueueUrl": self.dead_url,
                    "MaxNumberOfMessages": 10,
                    "VisibilityTimeout": LOOK_SECONDS,
                    "WaitTimeSeconds": 1,
                    "MessageAttributeNames": ["All"],
                    "AttributeNames": ["All"],
                },
            )
            fresh = {message["MessageId"]: message for message in said.get("Messages") or ()}
            if not fresh.keys() - found.keys():
                break
            found |= fresh
        return list(found.values())

    def counts(self) -> dict[str, Counts]:
        """SQS's own approximate figures, in messages; all datasets are one row, and what was delivered is not kept."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        hidden = "ApproximateNumberOfMessagesNotVisible"
        asked = {"QueueUrl": self.queue_url, "AttributeNames": [*names, hidden]}
        queue = self._do("GetQueueAttributes", asked)["Attributes"]
        dead = self._do("GetQueueAttributes", asked | {"QueueUrl": self.dead_url})["Attributes"]
        pending, leased = sum(int(queue.get(name, 0)) for name in names), int(queue.get(hidden, 0))
        letters = int(dead.get(names[0], 0)) + int(dead.get(hidden, 0))
        return {"all": Counts(accepted=pending + leased + letters, pending=pending, leased=leased, dead=letters)}

    def probe(self) -> None:
        self.counts()

    def _do(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._calls.call("sqs", f"AmazonSQS.{action}", body)
        except (AwsError, AwsUnreachable) as error:
            raise OutboxUnavailable(f"SQS: {error}") from None

    # -- what a queue cannot do ----------------------------------------------------------------------------------------

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        raise _not_here("Lambda leases")

    def extend(self, lease: Lease, lease_seconds: float) -> None:
        raise _not_here("Lambda leases")

    def release(self, lease: Lease) -> None:
        raise _not_here("Lambda leases")

    def revoked(self, events: Sequence[LeasedEvent]) -> frozenset[int]:
        raise _not_here("Lambda leases")

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        raise _not_here("the delivery function settles")

    def waiting(self, now: float) -> dict[str, float]:
        raise _not_here("Lambda polls")

    def find(self, event_id: str) -> list[Story]:
        raise _not_here("a queue has no index; search the delivery function's log group for the event id")

    def recent(self, limit: int = 50) -> list[Story]:
        raise _not_here("a queue has no index")

    def erase(self, digests: Sequence[str], now: float) -> int:
        raise _not_here("a queue has no index; what waits is gone after its retention (4 days, dead letters 14)")

    def withdraw(self, dataset: str, event_ids: Sequence[str], now: float) -> int:
        raise _not_here("a queue has no index; what was sent to it is delivered")

    def remember_visitor(self, key: str, visit: Visit, now: float) -> None:
        raise _not_here("a queue remembers nobody; give the event its fbp, fbc and client_ip_address")

    def visitor(self, key: str, now: float) -> Visit | None:
        return None

    def has_visitors(self) -> bool:
        return False

    def note_pixel(self, dataset: str, pairs: Sequence[tuple[str, str]], now: float) -> "Future[None]":
        """Not counted here: the queue could not tell which events it has seen."""
        from concurrent.futures import Future

        future: Future[None] = Future()
        future.set_result(None)
        return future

    def deduplication(self) -> dict[str, dict[str, Sides]]:
        return {}

    def tidy(self, now: float) -> int:
        return 0

    def prune(self, now: float) -> int:
        return 0

    def on_put(self, wake: Callable[[], None]) -> None:
        """Lambda polls; nobody has to be woken."""

    def close(self) -> None:
        """There is no file to let go."""


def messages(events: Sequence[SealedEvent], now: float) -> list[str]:
    """Bodies of messages, each of one dataset and at most MOST_BYTES; an oversized event stands alone."""
    packed: list[tuple[str, list[Kept]]] = []
    sizes: dict[str, tuple[int, list[Kept]]] = {}
    for event in events:
        kept = Kept(
            event.event_name,
            event.event_id,
            event.event_time,
            event.expires_at,
            zlib.crc32(event.body),
            event.body.decode(),
            event.consent,
        )
        cost = len(json.dumps(kept.body)) + 300
        size, group = sizes.get(event.dataset, (MOST_BYTES, []))
        if size + cost > MOST_BYTES:
            size, group = 0, []
            packed.append((event.dataset, group))
        group.append(kept)
        sizes[event.dataset] = size + cost, group
    return [encode(dataset, now, group) for dataset, group in packed]


def encode(dataset: str, accepted_at: float, events: Sequence[Kept]) -> str:
    """ASCII alone."""
    return json.dumps(msgspec.to_builtins(Message(dataset, accepted_at, tuple(events))), separators=(",", ":"))


def _groups(entries: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Ten messages and 256 kB in one call at most."""
    groups: list[list[dict[str, Any]]] = []
    size = 0
    for entry in entries:
        cost = len(entry["MessageBody"]) + 1_000
        if not groups or len(groups[-1]) == MOST_ENTRIES or size + cost > 256_000:
            groups.append([])
            size = 0
        groups[-1].append(entry)
        size += cost
    return groups


def _read(message: dict[str, Any]) -> Message | None:
    try:
        return msgspec.json.decode(message["Body"], type=Message)
    except msgspec.MsgspecError:
        return None


def _stories(message: dict[str, Any]) -> list[Story]:
    letter = _read(message)
    if letter is None:
        return []
    said = {name: value.get("StringValue") for name, value in (message.get("MessageAttributes") or {}).items()}
    died_at = int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
    code, subcode = said.get("meta_code"), said.get("subcode")
    attempt = Attempt(
        at=died_at,
        outcome=said.get("outcome") or "refused",
        why=said.get("reason"),
        code=int(code) if code else None,
        subcode=int(subcode) if subcode else None,
        title=said.get("title"),
        fbtrace_id=said.get("fbtrace_id"),
    )
    return [
        Story(
            dataset=letter.dataset,
            event_name=event.event_name,
            event_id=event.event_id,
            event_time=event.event_time,
            accepted_at=letter.accepted_at,
            expires_at=event.expires_at,
            state="dead",
            reason=said.get("reason"),
            attempts=1,
            due_at=None,
            settled_at=died_at,
            history=(attempt,),
        )
        for event in letter.events
    ]


def _not_here(why: str) -> OutboxUnavailable:
    return OutboxUnavailable(f"not with an sqs:// outbox: {why}")
