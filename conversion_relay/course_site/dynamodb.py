"""Registrations in a DynamoDB table."""

from typing import Any

import msgspec

from conversion_relay import OutboxUnavailable
from conversion_relay.aws import AwsCalls, AwsError, AwsUnreachable
from conversion_relay.course_site.shop import Registration, registration_decoder

TRIES = 3
"""Two requests of one person may meet."""


class DynamoRegistrations:
    """One table, key (course_id, email). Every id given out has an item of its own, `email` = "#" and the id, which the
    index over `registration_id` finds; so a payment in the checkout of an earlier registration is known too."""

    def __init__(self, calls: AwsCalls, table: str) -> None:
        self._calls, self._table = calls, table

    def register(self, registration: Registration) -> str | None:
        for _ in range(TRIES):
            known = self._item(_key(registration.course_id, registration.email.strip().lower()))
            if known and "paid_at" in known:
                return None
            if known:
                kept = registration_decoder.decode(known["document"]["S"]).registration_id
                registration = msgspec.structs.replace(registration, registration_id=kept)
            if self._write(registration, is_first=not known):
                return registration.registration_id
        raise OutboxUnavailable("DynamoDB: another registration of the same address was written meanwhile")

    def _write(self, registration: Registration, *, is_first: bool) -> bool:
        """False when it was paid, or another one came first, since we looked."""
        email = registration.email.strip().lower()
        stored = {**_key(registration.course_id, email), "document": {"S": msgspec.json.encode(registration).decode()}}
        known_by = {
            **_key(registration.course_id, f"#{registration.registration_id}"),
            "registration_id": {"S": registration.registration_id},
            "of": {"S": email},
        }
        unchanged = "attribute_not_exists(course_id)" if is_first else "attribute_not_exists(paid_at)"
        puts = [
            {"TableName": self._table, "Item": stored, "ConditionExpression": unchanged},
            {"TableName": self._table, "Item": known_by},
        ]
        try:
            self._do("TransactWriteItems", {"TransactItems": [{"Put": put} for put in puts]})
        except AwsError as error:
            if "ConditionalCheckFailed" in error.reasons:
                return False
            raise _unavailable(error) from None
        return True

    def _item(self, key: dict[str, dict[str, str]]) -> dict[str, Any]:
        found = self._read("GetItem", {"TableName": self._table, "Key": key, "ConsistentRead": True}).get("Item")
        return found if isinstance(found, dict) else {}

    def find(self, registration_id: str) -> Registration | None:
        key = self._key_of(registration_id)
        if key is None:
            return None
        item = self._item(key)
        if not item:
            return None
        registration = registration_decoder.decode(item["document"]["S"])
        paid_at = int(item["paid_at"]["N"]) if "paid_at" in item else None
        return msgspec.structs.replace(registration, registration_id=registration_id, paid_at=paid_at)

    def mark_paid(self, registration_id: str, paid_at: int) -> bool:
        key = self._key_of(registration_id)
        if key is None:
            return False
        update = {
            "TableName": self._table,
            "Key": key,
            "UpdateExpression": "SET paid_at = :paid_at",
            "ConditionExpression": "attribute_exists(course_id) AND attribute_not_exists(paid_at)",
            "ExpressionAttributeValues": {":paid_at": {"N": str(paid_at)}},
        }
        try:
            self._do("UpdateItem", update)
        except AwsError as error:
            if error.code == "ConditionalCheckFailedException":
                return False
            raise _unavailable(error) from None
        return True

    def _key_of(self, registration_id: str) -> dict[str, dict[str, str]] | None:
        """Moments after registering the index may not know it yet; the payment's webhook then comes again."""
        if not registration_id:
            return None
        found = self._read(
            "Query",
            {
                "TableName": self._table,
                "IndexName": "registration_id",
                "KeyConditionExpression": "registration_id = :id",
                "ExpressionAttributeValues": {":id": {"S": registration_id}},
                "Limit": 1,
            },
        ).get("Items")
        return _key(found[0]["course_id"]["S"], found[0]["of"]["S"]) if found else None

    def _read(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._do(action, body)
        except AwsError as error:
            raise _unavailable(error) from None

    def _do(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._calls.call("dynamodb", f"DynamoDB_20120810.{action}", body)
        except AwsUnreachable as error:
            raise _unavailable(error) from None


def _key(course_id: str, email: str) -> dict[str, dict[str, str]]:
    return {"course_id": {"S": course_id}, "email": {"S": email}}


def _unavailable(error: Exception) -> OutboxUnavailable:
    return OutboxUnavailable(f"DynamoDB: {error}")
