"""Whether anybody is remembered: a store that does not answer, fails or finds nobody."""

from concurrent.futures import Future

import pytest

from conversion_relay.outbox.any_visitors import AnyVisitors


class Store(AnyVisitors):
    def __init__(self) -> None:
        self.looks: list[Future[bool]] = []

    def _any_visitor(self) -> "Future[bool]":
        self.looks.append(Future())
        return self.looks[-1]


def test_a_store_that_does_not_answer_is_asked_once():
    """A queue of looks would outlive the outage, with one for each event that came."""
    store = Store()
    assert {store.has_visitors() for _ in range(100)} == {True}, "perhaps: nobody has looked yet"
    assert len(store.looks) == 1


@pytest.mark.parametrize("found", [True, False])
def test_what_was_found_is_the_answer(found):
    store = Store()
    store.has_visitors()
    store.looks[0].set_result(found)
    assert store.has_visitors() is found
    assert len(store.looks) == 1


def test_a_look_that_failed_is_done_again():
    store = Store()
    store.has_visitors()
    store.looks[0].set_exception(OSError())
    assert store.has_visitors() is True
    assert len(store.looks) == 2
