"""A fixture for the tests of a program that tracks. pytest finds it by the entry point of the installed package.

def test_a_purchase_is_told_once(client, relay_events):
    client.post("/checkout")
    (purchase,) = relay_events.named("Purchase")
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conversion_relay.relay.in_test import Collected


@pytest.fixture
def relay_events(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Collected]":
    """What every Relay of this process tracked during the test: `.events` as Meta would get them, `.named("Purchase")`.
    No file, no network, and no settings are needed."""
    # pytest loads this file at each start, and most tests need no Relay.
    import os

    from conversion_relay.relay.in_test import SETTINGS, collecting

    if not any(os.environ.get(name) for name in ("RELAY_CONFIG", "META_PIXEL_ID")):
        for name, value in SETTINGS.items():
            monkeypatch.setenv(name, value)
    with collecting() as collected:
        yield collected
