"""What `sqs://` of RELAY_OUTBOX names, and what is refused with a remedy before the first event."""

import sys

import pytest

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.outbox import open_outbox
from conversion_relay.outbox.sqs import SqsOutbox
from tests.outbox.suite import NOW, sealed

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")


@pytest.mark.parametrize(
    ("url", "dead"),
    [
        ("sqs://sqs.eu-west-1.amazonaws.com/1/events", "https://sqs.eu-west-1.amazonaws.com/1/events-dead"),
        ("sqs://sqs.eu-west-1.amazonaws.com/1/events?dead=x", "https://sqs.eu-west-1.amazonaws.com/1/x"),
        ("sqs://localhost:9324/000000000000/a", "https://localhost:9324/000000000000/a-dead"),
    ],
)
def test_the_url_names_both_queues(url, dead):
    outbox = open_outbox(url)
    assert isinstance(outbox, SqsOutbox) and outbox.dead_url == dead
    assert outbox.queue_url == url.partition("?")[0].replace("sqs://", "https://")


@pytest.mark.parametrize(
    "url", ["sqs://", "sqs:///1/events", "sqs://sqs.eu-west-1.amazonaws.com/events", "sqs://host/"]
)
def test_a_url_without_account_or_queue_is_refused_with_the_form_to_use(url):
    with pytest.raises(SettingsError, match=r"sqs://sqs\.REGION"):
        open_outbox(url)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-central-1.amazonaws.com", "eu-central-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sqs-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("vpce-0a1-b2.sqs.ap-southeast-2.vpce.amazonaws.com", "ap-southeast-2"),
        ("queue.example", "sa-east-1"),
        ("localhost:4566", "sa-east-1"),
    ],
)
def test_a_queue_is_asked_in_its_own_region(monkeypatch, host, region):
    """`dead list` with a profile of another region, or none, would look for it in the wrong place."""
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    assert open_outbox(f"sqs://{host}/1/events")._calls.region == region


def test_a_fifo_queue_is_refused_before_the_first_event_is():
    with pytest.raises(SettingsError, match="standard"):
        open_outbox("sqs://sqs.eu-west-1.amazonaws.com/1/events.fifo")


def test_without_its_package_the_url_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "aws_request_signer", None)
    with pytest.raises(SettingsError, match=r"^RELAY_OUTBOX: sqs:// needs pip install 'conversion-relay\[aws\]'$"):
        open_outbox("sqs://sqs.eu-west-1.amazonaws.com/1/events")


@pytest.mark.parametrize("has_botocore", [True, False])
def test_without_credentials_it_says_where_they_are_looked_for(monkeypatch, tmp_path, has_botocore):
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if not has_botocore:
        monkeypatch.setitem(sys.modules, "botocore.session", None)
    outbox = open_outbox("sqs://sqs.eu-west-1.amazonaws.com/1/events")
    with pytest.raises(OutboxUnavailable, match="AWS_ACCESS_KEY_ID"):
        outbox.put([sealed("a")], NOW)
