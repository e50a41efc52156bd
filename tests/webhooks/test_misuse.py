"""What a program gives in place of a notice's bytes and headers."""

import pytest
from werkzeug.datastructures import Headers

from conversion_relay import Relay
from conversion_relay.webhooks import Webhooks


@pytest.fixture
def webhooks():
    with Relay.testing() as relay:
        yield Webhooks(relay)


@pytest.mark.parametrize("raw", ["{}", {}, None], ids=lambda raw: type(raw).__name__)
def test_a_body_that_was_read_already_is_told(webhooks, raw):
    """It was a signature that is missing, or "can't concat str to bytes"."""
    with pytest.raises(TypeError, match=f"body as it came, in bytes, not {type(raw).__name__}"):
        webhooks.answer("stripe", raw, {})


@pytest.mark.parametrize("headers", [None, [("A", "b")], {b"A": b"b"}, {"A": None}], ids=range(4))
def test_headers_that_are_no_texts_by_name_are_told(webhooks, headers):
    with pytest.raises(TypeError, match=r"mapping of texts, such as request\.headers"):
        webhooks.answer("stripe", b"{}", headers)


@pytest.mark.parametrize("raw", [b"{}", bytearray(b"{}"), memoryview(b"{}")], ids=lambda raw: type(raw).__name__)
def test_any_bytes_and_a_frameworks_headers_are_a_notice(webhooks, raw):
    assert webhooks.answer("stripe", raw, Headers([("A", "b"), ("A", "c")])).status in (400, 404)
