"""While a service of AWS is in trouble, what does not need it is delivered, within the function's time."""

import pytest

from conversion_relay.signed_calls import AwsError, AwsUnreachable
from tests.aws.test_deliver import NOW, Aws, failures, function, kept, record, taken


class Context:
    """Of an invocation with a minute; `now` moves while AWS is slow."""

    def __init__(self) -> None:
        self.now = NOW

    def get_remaining_time_in_millis(self) -> float:
        return 1000 * (NOW + 60 - self.now)


class Slow(Aws):
    """DynamoDB takes `seconds`, and then answers or does not."""

    def __init__(self, context: Context, seconds: float, error: Exception | None) -> None:
        super().__init__()
        self.context, self.seconds, self.error, self.asked = context, seconds, error, 0

    def call(self, service, target, body, *, version="1.0"):
        if service == "dynamodb":
            self.asked, self.context.now = self.asked + 1, self.context.now + self.seconds
            if self.error:
                raise self.error
        return super().call(service, target, body, version=version)


@pytest.mark.parametrize(
    ("seconds", "error", "most"),
    [(15, AwsUnreachable("dynamodb"), 1), (0.3, AwsError("ThrottlingException", 400), 1), (1, None, 42)],
    ids=["away", "throttled", "slow"],
)
def test_page_views_are_delivered_while_the_ledger_of_purchases_is_in_trouble(seconds, error, most):
    """Else the function's time is over before anything is sent, and the queue buries them all in the end."""
    context = Context()
    slow = Slow(context, seconds, error)
    running = function(slow, taken, lambda: context.now)
    purchases = [record(kept(f"p{n}", "Purchase"), number=n) for n in range(100)]
    views = [record(kept(f"v{n}", "ViewContent"), number=1_000 + n) for n in range(5)]
    stay = failures(running.handle({"Records": [*purchases, *views]}, context))
    assert not [name for name in stay if int(name[1:]) >= 1_000]
    assert slow.asked <= most and context.get_remaining_time_in_millis() >= 0
    assert {f"v{n}" for n in range(5)} <= {one for ids in running.meta.calls for one in ids}


def test_a_ledger_that_is_back_is_asked_by_the_next_invocation():
    context = Context()
    slow = Slow(context, 15, AwsUnreachable("dynamodb"))
    running = function(slow, taken, lambda: context.now)
    assert failures(running.handle({"Records": [record(kept("p", "Purchase"))]}, context)) == ["m1"]
    slow.error, context.now = None, NOW
    assert failures(running.handle({"Records": [record(kept("p", "Purchase"))]})) == []
