"""Settings that change while another thread judges an event."""

import contextlib
import sys
from collections.abc import Iterator
from itertools import count
from types import FrameType
from typing import Any

from conversion_relay import Relay, Settings
from conversion_relay.event import Rejection
from conversion_relay.relay.judge import Judge
from tests.test_relay import LEAD, environ

__all__ = ["environ"]


@contextlib.contextmanager
def before_line(nth: int, deed: Any) -> Iterator[list[int]]:
    """`deed` is done once, before the nth line of `Judge._policy`; 0 or less stands in the list once it was."""
    left = [nth]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                deed()
        return trace if frame.f_code is Judge._policy.__code__ else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield left
    finally:
        sys.settrace(before)


def test_a_policy_that_a_thread_made_of_older_settings_does_not_stay(environ):
    """Wherever the change comes, and with it a request for which the new one is asked."""
    newer = Settings.from_env({**environ, "RELAY_CONSENT": "withhold"})
    for line in count(1):
        with Relay(Settings.from_env(environ)) as relay:

            def change(relay=relay):
                relay.use(newer)
                assert isinstance(relay.seal(LEAD), Rejection)

            with before_line(line, change) as left:
                relay.seal(LEAD, dataset=relay.settings.datasets[0])
            if left[0] > 0:
                break
            assert isinstance(relay.seal(LEAD, dataset=relay.settings.datasets[0]), Rejection), line
    assert line > 5
