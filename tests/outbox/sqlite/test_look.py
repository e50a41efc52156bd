"""What is read in two steps, while others write."""

from conversion_relay.outbox.sqlite import look


def test_the_first_event_of_a_dataset_may_come_between_the_two_reads_of_the_books():
    answers = iter([[], [("1", 1_800_000_000, 1_800_600_000)]])
    assert look.counts(lambda sql, values=(): next(answers)) == {}
