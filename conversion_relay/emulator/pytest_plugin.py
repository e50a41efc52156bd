"""The fixture `meta_emulator` for other people's tests: Meta's stand-in in the test's own process.

pytest loads this file where conversion-relay is installed (entry point pytest11), in tests that never use it, too. So
nothing but the standard library and pytest is imported before a test asks for the fixture.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest


class MetaEmulator:
    """One running stand-in. `url` is for META_GRAPH_URL; `env` holds all that `Relay.from_env` needs."""

    def __init__(self, app: Any, url: str) -> None:
        self._app, self.url = app, url

    @property
    def env(self) -> dict[str, str]:
        """For `monkeypatch.setenv` or a child process; the outbox is yours to choose."""
        return {"META_GRAPH_URL": self.url, "META_PIXEL_ID": "1232612085335834", "META_ACCESS_TOKEN": "test-token"}

    @property
    def events(self) -> list[dict[str, Any]]:
        """Events that were accepted, oldest first, as Meta got them."""
        return [arrived.event for arrived in self._app.store.events]

    @property
    def arrived(self) -> list[dict[str, Any]]:
        """The same with `source` (server or browser), `duplicate`, `dataset` and `received_at`."""
        return [arrived.shown() for arrived in self._app.store.events]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Every request, refused ones too."""
        return list(self._app.store.requests)

    def wait_for(self, n: int = 1, *, seconds: float = 10.0) -> list[dict[str, Any]]:
        """`events`, once there are `n`. Raises AssertionError when they do not come in time."""
        ends_at = time.monotonic() + seconds
        while len(self.events) < n:
            if time.monotonic() > ends_at:
                raise AssertionError(f"{len(self.events)} of {n} events reached the stand-in within {seconds:g} s")
            time.sleep(0.01)
        return self.events

    def misbehave(self, mode: str, **how: Any) -> None:
        """The next requests meet this fault: `misbehave("throttle", times=2)`. Raises ValueError for an unknown one."""
        from conversion_relay.emulator.faults import Misbehave

        asked = Misbehave(mode=mode, **how)
        if problem := asked.problem():
            raise ValueError(f"{problem[0]}: {problem[1]}")
        self._app.faults.ask(asked)

    def reset(self) -> None:
        """Forgets what arrived, and every fault."""
        self._app.store.reset()
        self._app.faults.reset()


@pytest.fixture(scope="session")
def _meta_emulator() -> Iterator[MetaEmulator]:
    try:
        from conversion_relay.emulator.app import create_app
        from conversion_relay.emulator.server import Server
    except ModuleNotFoundError as error:
        pytest.fail(f"{error.name} is missing: pip install 'conversion-relay[server]'")
    app = create_app()
    server = Server(app)
    server.start()
    yield MetaEmulator(app, server.url)
    server.stop()


@pytest.fixture
def meta_emulator(_meta_emulator: MetaEmulator) -> MetaEmulator:
    """Meta's stand-in, empty and well-behaved at the start of each test; one server for the session."""
    _meta_emulator.reset()
    return _meta_emulator
