"""What a person was told of: one process of all tells it, and any process sees what was told."""

from conversion_relay.outbox import Overview
from tests.outbox.suite.backend import NOW, Backend


class NoticesSuite(Backend):
    def test_a_cause_is_taken_down_once_and_seen_until_it_is_over(self, outbox):
        assert isinstance(outbox, Overview) and outbox.notices() == []
        assert outbox.take_notice("unauthorized:1", NOW)
        assert not outbox.take_notice("unauthorized:1", NOW + 1)
        assert outbox.take_notice("clock", NOW + 2)
        assert sorted(outbox.notices()) == [("clock", NOW + 2), ("unauthorized:1", NOW)]
        assert outbox.drop_notice("unauthorized:1") and not outbox.drop_notice("unauthorized:1")
        assert outbox.notices() == [("clock", NOW + 2)]
        assert outbox.take_notice("unauthorized:1", NOW + 3)
