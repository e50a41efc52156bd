"""AWS's door: from what calls a Lambda function to an HTTP request and back, and the function that delivers.

In come Lambda's events: HTTP requests of five shapes (`events.py`), and messages of the queue (`deliver.py`). Out go
answers in the caller's own shape, requests to Meta, and for each message its end: done, dead letter, or seen again
later. What must be known after an invocation is in AWS: the queue, the ledger of purchases (`ledger.py`), the token
(`token.py`). This room may not know the course site: it serves any site that runs on Lambda.

These names are public, and loaded when first asked for: a function that only accepts must not pay at its cold start
for the one that delivers.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conversion_relay.aws.deliver import DeliveryFunction
    from conversion_relay.aws.events import HttpRequest, NotHttp, http_answer, http_request
    from conversion_relay.aws.send_first import SendFirst
    from conversion_relay.aws.token import TokenSource, read_secret
    from conversion_relay.signed_calls import AwsCalls, AwsError, AwsUnreachable

_HOME = {
    "AwsCalls": "signed_calls",
    "AwsError": "signed_calls",
    "AwsUnreachable": "signed_calls",
    "DeliveryFunction": "aws.deliver",
    "HttpRequest": "aws.events",
    "NotHttp": "aws.events",
    "SendFirst": "aws.send_first",
    "TokenSource": "aws.token",
    "http_answer": "aws.events",
    "http_request": "aws.events",
    "read_secret": "aws.token",
}
__all__ = [
    "AwsCalls",
    "AwsError",
    "AwsUnreachable",
    "DeliveryFunction",
    "HttpRequest",
    "NotHttp",
    "SendFirst",
    "TokenSource",
    "http_answer",
    "http_request",
    "read_secret",
]

if not TYPE_CHECKING:  # or a checker believed every name that somebody mistypes

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module 'conversion_relay.aws' has no attribute {name!r}")
        return getattr(import_module(f"conversion_relay.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """Those that are not loaded yet, too."""
    return sorted({*globals(), *__all__})
