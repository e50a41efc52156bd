"""Which purchases Meta has: a table, because payment providers repeat a webhook for days and Meta forgets after two.

A purchase is claimed for 90 seconds, sent, and marked after Meta's 200. A crash in between frees it when the claim has
run out; a mark before sending would lose it. Two invocations with copies of one purchase: the second finds the claim
and leaves the purchase in the queue. What Meta may have without having said so is marked too (`maybe_since`), so that a
later invocation can tell whether Meta still recognises the repetition.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

from conversion_relay.signed_calls import AwsCalls, AwsError

LEDGERED = "Purchase"
"""The events that are looked up here."""
CLAIM_SECONDS = 90
KEEP_SECONDS = 90 * 86_400
Known = Literal["ours", "sent", "elsewhere"]
Key = tuple[str, str, str]
"""(dataset, event name, event id)"""


class PurchaseLedger:
    """One item for each purchase: `sent_at` once Meta has it, `claimed_until`, and `maybe_since` when Meta may."""

    def __init__(self, calls: AwsCalls, table: str) -> None:
        self._calls, self._table = calls, table

    def claim(self, key: Key, now: float) -> tuple[Known, float | None]:
        """Whether we may send it now, and since when Meta may have it already (Unix seconds)."""
        try:
            said = self._do(
                "UpdateItem",
                {
                    "Key": _key(key),
                    "UpdateExpression": "SET claimed_until = :until, expires_at = :expiry",
                    "ConditionExpression": "attribute_not_exists(sent_at)"
                    " AND (attribute_not_exists(claimed_until) OR claimed_until < :now)",
                    "ExpressionAttributeValues": {
                        ":until": _number(now + CLAIM_SECONDS),
                        ":expiry": _number(now + KEEP_SECONDS),
                        ":now": _number(now),
                    },
                    "ReturnValues": "ALL_NEW",
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
        for key in keys:
            self._set(key, f"SET sent_at = :now, {_FREE}", now)

    def mark_maybe(self, keys: Sequence[Key], now: float) -> None:
        """Meta may have them and did not say so."""
        for key in keys:
            self._set(key, f"SET maybe_since = if_not_exists(maybe_since, :now), {_FREE}", now)

    def let_go(self, keys: Sequence[Key], now: float) -> None:
        """They were not sent, so the next try need not wait for the claim to run out."""
        for key in keys:
            self._set(key, f"SET {_FREE}", now, unused=True)

    def _set(self, key: Key, expression: str, now: float, *, unused: bool = False) -> None:
        values = {":expiry": _number(now + KEEP_SECONDS)} | ({} if unused else {":now": _number(now)})
        self._do(
            "UpdateItem",
            {"Key": _key(key), "UpdateExpression": expression, "ExpressionAttributeValues": values},
        )

    def _do(self, action: str, body: dict[str, object]) -> dict[str, dict[str, dict[str, str]]]:
        return self._calls.call("dynamodb", f"DynamoDB_20120810.{action}", {"TableName": self._table, **body})


_FREE = "expires_at = :expiry REMOVE claimed_until"


def _key(key: Key) -> dict[str, dict[str, str]]:
    """A digest: an id may name an order, and a table needs no more than to know it again."""
    return {"purchase": {"S": hashlib.sha256("\n".join(key).encode()).hexdigest()}}


def _number(value: float) -> dict[str, str]:
    return {"N": str(int(value))}
