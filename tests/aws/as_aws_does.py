"""Where moto differs from AWS in what these tests look at."""

import functools
import json
import threading
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.dynamodb.models import DynamoDBBackend
from moto.sqs.models import Queue


def patch_moto() -> None:
    """What moto drops or shows otherwise than AWS does, so that a second plan has nothing to change."""
    if getattr(Queue, "is_patched", False):
        return
    Queue.is_patched = True
    attributes, keep = Queue.attributes.fget, LambdaFunction.__init__
    show, change = LambdaFunction.get_configuration, LambdaFunction.update_configuration

    def add_message(self: Any, message: Any) -> None:
        """moto would invoke the function once for every message, in a container."""
        with self._messages_lock:
            self._messages.append(message)
            self._messages_lock.notify_all()

    def all_attributes(self: Any) -> dict[str, Any]:
        found = {name: value for name, value in attributes(self).items() if value is not None}
        if "RedrivePolicy" in found:
            found["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        return found

    def create(self: Any, *arguments: Any, **named: Any) -> None:
        keep(self, *arguments, **named)
        spec = named.get("spec") or next(one for one in arguments if isinstance(one, dict))
        self.logging_config = spec.get("LoggingConfig")

    def update(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        self.logging_config = config_updates.get("LoggingConfig", self.logging_config)
        change(self, config_updates)
        return self.get_configuration()

    def configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
        return show(self, on_create) | ({"LoggingConfig": self.logging_config} if self.logging_config else {})

    def pending_groups(self: Any) -> set[str]:
        """moto walks a set that its other threads change meanwhile."""
        return {message.group_id for message in list(self._pending_messages) if message.group_id is not None}

    _write_one_at_a_time()
    Queue.add_message, Queue.attributes = add_message, property(all_attributes)
    Queue.pending_message_groups = property(pending_groups)
    Queue.redrive_allow_policy = None
    Queue.BASE_ATTRIBUTES = [*Queue.BASE_ATTRIBUTES, "RedriveAllowPolicy"]
    LambdaFunction.__init__, LambdaFunction.get_configuration = create, configuration
    LambdaFunction.update_configuration = update


def _write_one_at_a_time() -> None:
    """DynamoDB looks at a condition and writes in one step; moto's threads could each look before the other writes, and
    two invocations would both get the claim of one purchase."""
    writing = threading.RLock()

    def alone(write: Any) -> Any:
        @functools.wraps(write)
        def written(*arguments: Any, **named: Any) -> Any:
            with writing:
                return write(*arguments, **named)

        return written

    for verb in ("put_item", "update_item", "delete_item", "transact_write_items"):
        setattr(DynamoDBBackend, verb, alone(getattr(DynamoDBBackend, verb)))
