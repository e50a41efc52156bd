"""Which purchases Meta has: a table, because payment providers repeat a webhook for days and Meta forgets after two.

What could go wrong. Fifty copies of one webhook become fifty messages, and several invocations take them at once. One
that sent may die before it wrote that down. One that is slow may find, when it comes to writing, that another has
begun. And Meta knows a repeated id for 48 hours only: sent again later, a Purchase counts twice.

The rules, each of them one conditional write of DynamoDB:
1. Who sends has a claim, which no other invocation gets before it has run out. It lasts until this invocation's own
   end, and half a minute more for clocks that differ. Lambda ends the process then: a claim that is over is nobody's.
2. The claim itself says `maybe_since`: from now on Meta may have it. A process that dies after Meta's answer leaves the
   claim and that mark behind; whoever comes later knows since when Meta may have it, and after two days does not send
   (`before_sending.py` holds it for a person).
3. What was certainly not sent is let go: claim and, where it was this claim's, the mark.
4. Meta's 200 is written whoever holds the claim, since it is a fact. Every other write changes the item only while the
   claim is the writer's own (`claimed_by`): a slow invocation must not free what another is sending.

Rejected: a mark before sending and none after (a crash would lose the purchase); a claim of fixed length (a function
with a longer timeout than that sends beside its successor); FIFO queues (they know a repetition for five minutes).
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

from conversion_relay.signed_calls import AwsError, JsonCalls

LEDGERED = frozenset({"Purchase", "Subscribe", "StartTrial"})
"""The events that are looked up here: those that a payment provider's notice may bring again after days."""
MARGIN_SECONDS = 30
"""By how much a claim outlasts its invocation: clocks of Lambda's machines differ by less."""
KEEP_SECONDS = 90 * 86_400
Known = Literal["ours", "sent", "elsewhere"]
Key = tuple[str, str, str]
"""(dataset, event name, event id)"""


class PurchaseLedger:
    """One item for each purchase: `sent_at` once Meta has it, `claimed_until` and `claimed_by`, and `maybe_since` when
    Meta may have it. Times in Unix seconds."""

    def __init__(self, calls: JsonCalls, table: str) -> None:
        self._calls, self._table = calls, table

    def claim(self, key: Key, now: float, *, by: str, ends_at: float) -> tuple[Known, float | None]:
        """Whether we may send it now, and since when Meta may have it already. `by`: this invocation, and no other.
        `ends_at`: when it ends at the latest."""
        try:
            said = self._do(
                "UpdateItem",
                {
                    "Key": _key(key),
                    "UpdateExpression": "SET claimed_until = :until, claimed_by = :by, expires_at = :expiry,"
                    " maybe_since = if_not_exists(maybe_since, :now)",
                    # By us: a call whose answer was lost is repeated by the client.
                    "ConditionExpression": "attribute_not_exists(sent_at)"
                    " AND (attribute_not_exists(claimed_until) OR claimed_until < :now OR claimed_by = :by)",
                    "ExpressionAttributeValues": {
                        ":until": _number(ends_at + MARGIN_SECONDS),
                        ":by": {"S": by},
                        ":expiry": _number(now + KEEP_SECONDS),
                        ":now": _number(now),
                    },
                    "ReturnValues": "ALL_OLD",
                },
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            found = self._do("GetItem", {"Key": _key(key), "ConsistentRead": True}).get("Item", {})
            return ("sent" if "sent_at" in found else "elsewhere"), None
        maybe = said.get("Attributes", {}).get("maybe_since")
        return "ours", float(maybe["N"]) if maybe else None

    def mark_sent(self, keys: Sequence[Key], now: float) -> None:
        """Meta has them."""
        for key in keys:
            values = {":now": _number(now), ":expiry": _number(now + KEEP_SECONDS)}
            self._update(key, f"SET sent_at = :now, expires_at = :expiry REMOVE {_CLAIM}", values)

    def let_go(self, keys: Sequence[Key], now: float, *, by: str, maybe: bool) -> None:
        """The next try need not wait for the claim to run out. `maybe`: Meta may have them, by this try or by an
        earlier one; else nothing of them was ever sent."""
        for key in keys:
            values = {":by": {"S": by}, ":expiry": _number(now + KEEP_SECONDS)}
            gone = _CLAIM if maybe else f"{_CLAIM}, maybe_since"
            try:
                self._update(key, f"SET expires_at = :expiry REMOVE {gone}", values, "claimed_by = :by")
            except AwsError as error:
                if error.code != "ConditionalCheckFailedException":
                    raise  # else another invocation has it by now, and knows more

    def _update(self, key: Key, expression: str, values: dict[str, dict[str, str]], condition: str = "") -> None:
        asked: dict[str, object] = {"Key": _key(key), "UpdateExpression": expression}
        asked["ExpressionAttributeValues"] = values
        if condition:
            asked["ConditionExpression"] = condition
        self._do("UpdateItem", asked)

    def _do(self, action: str, body: dict[str, object]) -> dict[str, dict[str, dict[str, str]]]:
        return self._calls.call("dynamodb", f"DynamoDB_20120810.{action}", {"TableName": self._table, **body})


_CLAIM = "claimed_until, claimed_by"


def _key(key: Key) -> dict[str, dict[str, str]]:
    """A digest: an id may name an order, and a table needs no more than to know it again."""
    return {"purchase": {"S": hashlib.sha256("\n".join(key).encode()).hexdigest()}}


def _number(value: float) -> dict[str, str]:
    return {"N": str(int(value))}
