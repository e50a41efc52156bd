"""The outbox in memory, against every promise: whatever the suite asks for can be done without SQLite."""

from tests.outbox.backends import MemoryBackend
from tests.outbox.suite.everything import EverySuite


class TestMemory(MemoryBackend, EverySuite):
    """What is promised of every store."""
