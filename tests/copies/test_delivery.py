"""Copies on their way: each is sent, held back or refused as its own dataset has it, whatever becomes of the other."""

from conversion_relay.event import SealedEvent
from tests.copies import AGENCY, BRAND, brand, settings, table
from tests.delivery.conftest import clock, outbox  # noqa: F401 - fixtures
from tests.delivery.standins import NOW, Meta, delivery, drain, error, taken, wire


def put_both(outbox) -> None:  # noqa: F811
    both = [
        SealedEvent(
            dataset=name,
            event_name="Lead",
            event_id="lead-1",
            event_time=int(NOW),
            expires_at=int(NOW) + 600_000,
            body=wire("lead-1"),
        )
        for name in (BRAND, AGENCY)
    ]
    outbox.put(both, NOW)


def states(outbox) -> dict[str, str]:  # noqa: F811
    return {story.dataset: story.state for story in outbox.find("lead-1")}


def test_consent_is_asked_again_by_each_datasets_own_policy(outbox, clock, tmp_path):  # noqa: F811
    put_both(outbox)
    drain(delivery(outbox, Meta(), clock, settings(tmp_path, brand(), table(AGENCY, 'RELAY_CONSENT = "withhold"'))))
    assert states(outbox) == {BRAND: "delivered", AGENCY: "erased"}


def test_a_table_that_asks_for_less_than_all_others_is_heard(outbox, clock, tmp_path):  # noqa: F811
    put_both(outbox)
    sends = table(AGENCY, 'RELAY_CONSENT = "send"')
    drain(delivery(outbox, Meta(), clock, settings(tmp_path, brand(), sends, top='RELAY_CONSENT = "withhold"')))
    assert states(outbox) == {BRAND: "erased", AGENCY: "delivered"}


class OneRefuses(Meta):
    """Meta takes the brand's events, and refuses the agency's for good."""

    def send(self, request, deadline):
        self.answer = (lambda ids: error(100, 2804009)) if AGENCY in request.url else taken
        return super().send(request, deadline)


def test_what_one_dataset_is_refused_for_good_is_delivered_to_the_other_and_replayed_by_itself(outbox, clock, tmp_path):  # noqa: F811
    put_both(outbox)
    both = settings(tmp_path, brand(), table(AGENCY))
    drain(delivery(outbox, OneRefuses(), clock, both))
    assert states(outbox) == {BRAND: "delivered", AGENCY: "dead"}
    assert outbox.replay(NOW, ["lead-1"]) == 1
    drain(delivery(outbox, Meta(), clock, both))
    assert states(outbox) == {BRAND: "delivered", AGENCY: "delivered"}
