"""The stand-in inside another process: whoever starts it hears when that fails."""

import pytest
import uvicorn

from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_cannot_start_is_not_waited_for_without_end(monkeypatch):
    async def fail(*_: object, **__: object) -> None:
        raise OSError("Too many open files")

    monkeypatch.setattr(uvicorn.Server, "startup", fail)
    server = Server(create_app())
    with pytest.raises(RuntimeError, match="could not be started"):
        server.start()
    server.stop()
