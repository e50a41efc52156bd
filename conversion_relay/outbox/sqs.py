"""The outbox on AWS: accepted events as messages of a queue that the delivery function reads.

SQS keeps a message on several machines before it answers, so a put is durable when it returns. The queue knows nothing
of event ids; copies collapse in the delivery function and at Meta. It has no index, so it is a Queue with DeadLetters
and no more: Lambda polls and leases, and `conversion_relay/aws/deliver.py` settles. `sqs_message.py` is the format.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox.protocol import DeadLetters, Queue
from conversion_relay.outbox.sqs_message import encode, messages, read_message, stories_of, texts_of
from conversion_relay.outbox.story import Counts, Story
from conversion_relay.signed_calls import AwsCalls, AwsError, AwsUnreachable, JsonCalls

if TYPE_CHECKING:
    from concurrent.futures import Future

MOST_ENTRIES = 10
"""Messages in one SendMessageBatch."""
LOOK_SECONDS = 30
"""How long a look at the dead letters hides them from another one."""
MOST_AGAIN = 5
"""Pages of dead letters that were all seen before, until no new one is looked for."""
INSTEAD = {
    "waiting": "Lambda polls the queue, and the delivery function sends",
    "find": "a queue has no index; search the delivery function's log group for the event id",
    "recent": "a queue has no index; follow the delivery function's log group, aws logs tail --follow",
    "erase": "a queue has no index; what waits is gone after its retention (4 days, dead letters 14)",
    "withdraw": "a queue has no index; what was sent to it is delivered",
    "remember_visitor": "a queue remembers nobody; give the event its fbp, fbc and client_ip_address",
}


class SqsOutbox:
    """`sqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE[?dead=QUEUE]`; safe to use from several threads."""

    kind = "an sqs:// outbox"
    instead = INSTEAD

    def __init__(self, url: str, calls: JsonCalls | None = None) -> None:
        parts = urlsplit(url)
        account, _, queue = parts.path.strip("/").rpartition("/")
        if not (parts.netloc and account and queue):
            raise SettingsError("RELAY_OUTBOX: expected sqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE")
        if queue.endswith(".fifo"):
            raise SettingsError(
                "RELAY_OUTBOX: a FIFO queue cannot be used; name a standard one: copies collapse by their ids"
            )
        # Its own region, whichever one the machine's profile is of.
        self._calls = calls or AwsCalls(region=_region(parts.netloc))
        dead = parse_qs(parts.query).get("dead", [f"{queue}-dead"])[0]
        self.queue_url = f"https://{parts.netloc}/{account}/{queue}"
        self._of_others = 0
        self.dead_url = f"https://{parts.netloc}/{account}/{dead}"

    # -- putting -----------------------------------------------------------------------------------------------------

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        """All of them, or OutboxUnavailable; then some may be queued, which their ids make harmless."""
        try:
            self.send(self.queue_url, [({}, body) for body in messages(events, now)])
        except OutboxUnavailable as error:
            # A program's error report shows the variables of each frame: those of `send` are the messages, in clear.
            raise error.with_traceback(None) from None
        return [Receipt(event.event_id, duplicate=False) for event in events]

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        from concurrent.futures import Future

        future: Future[list[Receipt]] = Future()
        try:
            future.set_result(self.put(events, now))
        except OutboxUnavailable as error:
            future.set_exception(error)
        return future

    def on_put(self, wake: Callable[[], None]) -> None:
        """Lambda polls; nobody has to be woken."""

    def probe(self) -> None:
        self.counts()

    def close(self) -> None:
        """There is no file to let go."""

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
        """Looks at dead letters without taking them; another look sees them again after half a minute. Held events are
        among them, with the reason `ambiguous_late`."""
        found = [stories_of(message) for message in self._dead_letters(limit)]
        self._of_others = found.count([])
        return [story for stories in found for story in stories][:limit]

    def of_others(self) -> int:
        """Messages that somebody else put into the queue, and the delivery function out of its way."""
        return self._of_others

    def replay(self, now: float, event_ids: Sequence[str] | None = None) -> int:
        """Into the queue first, out of the dead letters then: a crash in between repeats, and loses nothing."""
        replayed, wanted = 0, None if event_ids is None else set(event_ids)
        for message in self._dead_letters(100_000):
            letter = read_message(message)
            if letter is None:
                continue
            chosen = [e for e in letter.events if e.expires_at > now and (wanted is None or e.event_id in wanted)]
            if not chosen:
                continue
            rest = [event for event in letter.events if event not in chosen]
            self.send(self.queue_url, [({}, encode(letter.dataset, now, chosen, decided=True))])
            if rest:
                self.send(self.dead_url, [(texts_of(message), encode(letter.dataset, letter.accepted_at, rest))])
            self._do("DeleteMessage", {"QueueUrl": self.dead_url, "ReceiptHandle": message["ReceiptHandle"]})
            replayed += len(chosen)
        return replayed

    def _dead_letters(self, limit: int) -> Iterator[dict[str, Any]]:
        """Each once, ten at a time: what is done with one is done while it is hidden from others. Those that are left
        are seen again after LOOK_SECONDS, among new ones; a few pages without a new one are the end."""
        seen, again = set[str](), 0
        while len(seen) < limit and again < MOST_AGAIN:
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
            page = {message["MessageId"]: message for message in said.get("Messages") or ()}
            if not page:
                break
            again = again + 1 if page.keys() <= seen else 0
            yield from (message for message_id, message in page.items() if message_id not in seen)
            seen |= page.keys()

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

    def _do(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._calls.call("sqs", f"AmazonSQS.{action}", body)
        except (AwsError, AwsUnreachable) as error:
            raise OutboxUnavailable(f"SQS: {error}") from None


def _region(host: str) -> str:
    """Of `sqs.eu-central-1.amazonaws.com` and its cousins (FIPS, an endpoint in a VPC); empty where none is named."""
    for label in host.split("."):
        *words, number = label.split("-")
        if len(words) in (2, 3) and number.isdecimal() and all(map(str.isalpha, words)):
            return label
    return ""


def _groups(entries: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Ten messages and 256 kB in one call at most."""
    groups: list[list[dict[str, Any]]] = []
    size = 0
    for entry in entries:
        cost = len(entry["MessageBody"]) + 200 + sum(map(_size, entry["MessageAttributes"].items()))
        if not groups or len(groups[-1]) == MOST_ENTRIES or size + cost > 256_000:
            groups.append([])
            size = 0
        groups[-1].append(entry)
        size += cost
    return groups


def _size(attribute: tuple[str, dict[str, str]]) -> int:
    """SQS counts its name, type and value: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html

    Meta's sentence may be of 600 letters, each of three bytes."""
    name, said = attribute
    return len(name) + len(said["DataType"]) + len(said["StringValue"].encode("utf-8", "replace"))


PARTS: tuple[type[Queue], type[DeadLetters]] = (SqsOutbox, SqsOutbox)
"""mypy holds the class to the signatures of these; at run time nobody needs it."""
