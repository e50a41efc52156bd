"""What /metrics tells of the last day: by the events that Meta knows, and how long the dead letters still have."""

from conversion_relay.collector.operating import last_day
from conversion_relay.outbox.story import DeadGroup, Figures, Story

NOW, DATASET = 1_795_435_200, "1232612085335834"


def of_the_last_day(hours=(), letters=()) -> dict[tuple[str, ...], float]:
    samples = [sample for family in last_day(list(hours), list(letters), NOW) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def hour(name: str, begin: int = NOW, **delays: int) -> Figures:
    counted = {int(most.removeprefix("s")): n for most, n in delays.items()}
    return Figures(dataset=DATASET, event_name=name, hour=begin, delays=counted)


def letters(nearest: int | None) -> DeadGroup:
    newest = Story(
        dataset=DATASET, event_name="Lead", event_id="e", event_time=NOW, state="dead", accepted_at=NOW, expires_at=NOW,
        reason="r", attempts=1, due_at=None, settled_at=NOW, history=(),
    )  # fmt: skip
    return DeadGroup(
        dataset=DATASET, event_name="Lead", reason="r", n=1, first_at=NOW, last_at=NOW, sendable=1 if nearest else 0,
        nearest_expiry_at=nearest, newest=newest,
    )  # fmt: skip


def test_delivered_events_are_told_by_meta_s_names_and_what_pages_invent_is_one_row():
    found = of_the_last_day([hour("Lead", s1=3), hour("Lead", NOW - 3_600, s1=1, s60=4), hour("Mine", s5=2), hour("X")])
    assert found["relay_events_delivered_24h", "Lead"] == 8
    assert found["relay_events_delivered_24h", "other"] == 2
    assert found["relay_delivery_delay_seconds", "Lead", "0.95"] == 60
    assert {key[1] for key in found} == {"Lead", "other"}


def test_the_next_dead_letter_that_meta_will_not_take_is_told_beside_those_that_are_lost_already():
    found = of_the_last_day(letters=[letters(None), letters(NOW + 900), letters(NOW + 60)])
    assert found == {("relay_dead_nearest_expiry_seconds",): 60}
    assert of_the_last_day(letters=[letters(None)]) == {}
