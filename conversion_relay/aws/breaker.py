"""A circuit breaker for one invocation of the delivery function.

What could go wrong. A call to AWS that nobody answers takes fifteen seconds, an invocation has sixty, and a batch holds
a thousand messages. With DynamoDB away, four purchases used up the function's time. Lambda ended it before the page
views of the batch were sent; they came again with the same purchases, until the queue buried them all.

The rule: a service that did not answer, or throttled every try, is not called again by this invocation.
What would have needed it stays in the queue, and all else of the batch is finished. The next invocation asks anew.
"""

from collections.abc import Mapping
from typing import Any

from conversion_relay.signed_calls import PASSING, AwsError, AwsUnreachable, JsonCalls


class Breaker:
    """Calls to AWS as `AwsCalls` makes them, while its service answers."""

    def __init__(self, calls: JsonCalls) -> None:
        self._calls = calls
        self._open: dict[str, str] = {}
        """Services that are not called, and why."""

    def close(self) -> None:
        """A new invocation begins."""
        self._open.clear()

    def call(self, service: str, target: str, body: Mapping[str, Any], *, version: str = "1.0") -> dict[str, Any]:
        """Raises AwsError; AwsUnreachable also where it was not asked any more."""
        if why := self._open.get(service):
            raise AwsUnreachable(why)
        try:
            return self._calls.call(service, target, body, version=version)
        except AwsUnreachable as error:
            self._open[service] = str(error)
            raise
        except AwsError as error:
            if error.status >= 500 or error.code in PASSING:
                self._open[service] = str(error)
            raise
