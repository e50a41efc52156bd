"""A DynamoDB table in memory that understands the expressions which the ledger of purchases writes."""

import re
from typing import Any

from conversion_relay.aws import AwsError

Item = dict[str, dict[str, str]]


class Table:
    """GetItem and UpdateItem of one item each; condition and write are one step, as in DynamoDB."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}

    def call(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        key = body["Key"]["purchase"]["S"]
        if action == "GetItem":
            return {"Item": dict(self.items[key])} if key in self.items else {}
        assert action == "UpdateItem"
        old = dict(self.items.get(key, {}))
        values = body.get("ExpressionAttributeValues", {})
        if not _holds(body.get("ConditionExpression"), old, values):
            raise AwsError("ConditionalCheckFailedException", 400)
        new = _updated(body["UpdateExpression"], old, values)
        self.items[key] = new
        returned = {"ALL_OLD": old, "ALL_NEW": new}.get(body.get("ReturnValues", "NONE"))
        return {"Attributes": dict(returned)} if returned else {}


def _holds(condition: str | None, item: Item, values: dict[str, Any]) -> bool:
    if condition is None:
        return True
    text = re.sub(r"attribute_(not_)?exists\((\w+)\)", lambda m: f"({m[2]!r} {'not ' * bool(m[1])}in item)", condition)
    text = re.sub(r"(\w+) (<|=) (:\w+)", r"compared(\1@, '\2', '\3')", text)
    text = re.sub(r"(\w+)@", r"'\1'", text).replace("AND", "and").replace("OR", "or")

    def compared(name: str, how: str, value: str) -> bool:
        if name not in item:
            return False
        (left,), (right,) = item[name].values(), values[value].values()
        return left == right if how == "=" else float(left) < float(right)

    return bool(eval(text, {"item": item, "compared": compared}))


def _updated(expression: str, old: Item, values: dict[str, Any]) -> Item:
    found = re.fullmatch(r"SET (.+?)(?: REMOVE (.+))?", expression)
    assert found, expression
    new = dict(old)
    for name, value in re.findall(r"(\w+) = (if_not_exists\(\w+, :\w+\)|:\w+)", found[1]):
        if value.startswith("if_not_exists"):
            known, otherwise = re.findall(r"\((\w+), (:\w+)\)", value)[0]
            new[name] = old.get(known, values[otherwise])
        else:
            new[name] = values[value]
    for name in (found[2] or "").split(", "):
        new.pop(name, None)
    return new
