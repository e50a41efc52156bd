"""moto's services over HTTP, for code that calls AWS by itself and needs no function, queue or address of its own."""

import contextlib
import logging
from collections.abc import Iterator

from moto.server import ThreadedMotoServer

from conversion_relay.aws import AwsCalls


@contextlib.contextmanager
def aws_calls() -> Iterator[AwsCalls]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
    try:
        yield AwsCalls(keys | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}, pause=lambda _: None)
    finally:
        server.stop()


def make_table(calls: AwsCalls, name: str, **more: object) -> str:
    """A table with the key of the ledger of purchases, or with what `more` says."""
    described = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "purchase", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "purchase", "AttributeType": "S"}],
        **more,
    }
    calls.call("dynamodb", "DynamoDB_20120810.CreateTable", described)
    return name
