"""`POST /webhooks/{provider}`: what a payment provider is answered, and the event that comes of its notice.

In come a provider's name, the raw bytes and the headers; out comes an answer, after the event is durable. The
collector, the course site, the demo and the Lambda function hand their requests over to one `Webhooks`; none of them
decides anything about a payment. What a notice means is in `payments/`, which does no I/O; here stand the relay, the
outbox' memory of visits (`memory.py`) and the way back to the provider (`asking.py`). This room knows no framework.
"""

from conversion_relay.webhooks.answers import WebhookAnswer
from conversion_relay.webhooks.asking import Asking
from conversion_relay.webhooks.door import MOST_BYTES, Order, Orders, Webhooks

__all__ = ["MOST_BYTES", "Asking", "Order", "Orders", "WebhookAnswer", "Webhooks"]
