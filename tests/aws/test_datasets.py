"""What waits in the queue for another dataset than the deployment's."""

import json

import pytest

from conversion_relay.outbox.sqs_message import encode
from tests.aws.test_deliver import NOW, Aws, failures, function, kept, record, taken


@pytest.mark.parametrize("name", ["Lead", "Purchase"])
def test_what_is_of_a_dataset_without_settings_waits_until_it_is_too_old_and_is_told(capsys, name):
    """As after a change of META_PIXEL_ID: its messages went round in the queue for ever, and nobody was told."""
    aws = Aws()
    body = encode("22", NOW, [kept("waits", name), kept("old", name, expires_in=-1)])
    delivery = function(aws, taken)
    assert failures(delivery.handle({"Records": [record(body=body), record(kept("own"), number=2)]})) == []
    assert delivery.meta.calls == [["own"]] and aws.table.items == {}
    (rest,) = aws.anew()
    assert [event["event_id"] for event in json.loads(rest["MessageBody"])["events"]] == ["waits"]
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["message"], line["reason"]) for line in said if "reason" in line] == [
        (f"Failed to send Meta Conversions API {name} event", "too_old"),
        (f"Error sending Meta Conversions API {name} event", "dataset_not_configured"),
    ]
