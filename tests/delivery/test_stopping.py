"""A worker that is told to stop at the worst moment."""

import threading
import time

from conversion_relay.delivery.turn import Delivery
from conversion_relay.delivery.worker import Worker
from tests.delivery.standins import SETTINGS, Meta, put


def test_a_turn_that_was_being_chosen_when_it_is_told_to_stop_ends_before_the_outbox(outbox, caplog):
    """It ran into the outbox that is closed next: a claim without an end, and an error in the log of a program that
    only ended."""
    put(outbox, "a", expires_in=time.time())
    delivery = Delivery(outbox, Meta(), SETTINGS)
    chosen, told, over = threading.Event(), threading.Event(), []
    choose, carry_out = delivery.next_turn, delivery.deliver

    def chooses_late():
        turn = choose()
        if turn is not None:
            chosen.set()
            told.wait(10)
            time.sleep(0.05)  # by then `stop` waits
        return turn

    def carries_out_late(turn):
        time.sleep(0.05)
        over.append(carry_out(turn))

    delivery.next_turn, delivery.deliver, delivery_told = chooses_late, carries_out_late, delivery.stop
    delivery.stop = lambda: (delivery_told(), told.set())
    worker = Worker(delivery, outbox)
    worker.start()
    assert chosen.wait(10)
    worker.stop()
    assert len(over) == 1
    assert not caplog.records
