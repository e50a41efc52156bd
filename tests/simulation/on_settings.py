"""What an operator does to the file of settings."""

from typing import TYPE_CHECKING

from tests.simulation.scheduler import MICRO

if TYPE_CHECKING:
    from tests.simulation.operators import Operator

A_TURN = 120
"""Seconds in which a turn ends that began under the settings of before."""
UNUSABLE = (
    "",
    "[[dataset",
    "META_PIXEL_ID =",
    '[[dataset]]\nMETA_PIXEL_ID = "100"\n',
    'RELAY_CONSENTS = "withhold"\n',
    "RELAY_MOST_CALLS = 0\n",
    "\x00\x01",
)


def renew_token(operator: "Operator") -> None:
    """And whatever else may be changed at any time."""
    operator.machine.settings.top = operator.chance.choice(
        ([], [], ["RELAY_MOST_CALLS = 1"], ["RELAY_MOST_CALLS = 64"])
    )
    operator.machine.write_settings()


def remove_dataset(operator: "Operator") -> None:
    """And it comes again; meanwhile its events are kept."""
    machine, names = operator.machine, list(operator.machine.graph.datasets)
    if len(names) < 2:
        return
    name = operator.chance.choice(names)
    machine.settings.removed = name
    machine.settings.unsure[name] = None
    machine.write_settings()
    operator.world.mark("a dataset was removed")
    operator.wait(operator.chance.choice((60, 1800)))
    if operator.chance.random() < 0.5 and not operator.is_done:
        operator.roll()
        operator.wait(operator.chance.choice((60, 1800)))
    machine.settings.removed = None
    machine.write_settings()
    operator.roll()
    del machine.settings.unsure[name]


def change_keys(operator: "Operator") -> None:
    """As it is done without losing a request: the new key beside the old one, then the sites, then without the old."""
    settings, name = operator.machine.settings, operator.chance.choice(list(operator.machine.graph.datasets))
    old = settings.keys.get(name, 0)
    settings.keys_taken[name] = (old, old + 1)
    operator.machine.write_settings()
    operator.roll()
    settings.keys[name] = old + 1
    operator.wait(operator.chance.choice((10, 600)))
    settings.keys_taken[name] = (old + 1,)
    operator.machine.write_settings()
    operator.roll()


def break_settings(operator: "Operator") -> None:
    """The old ones stay in use; nobody may restart meanwhile."""
    operator.machine.write_config(operator.chance.choice(UNUSABLE))
    operator.wait(operator.chance.choice((20, 600)))
    operator.machine.write_settings()


def ask_for_consent(operator: "Operator") -> None:
    """For a while, only those who agreed are sent. What others had sent is forgotten when it comes to be sent; what
    waits for longer, or is dead and replayed later, is sent when nobody asks any more: nothing is demanded of it."""
    machine = operator.machine
    operator.facts.are_silent_withheld = True
    machine.settings.top = ['RELAY_CONSENT = "withhold"']
    machine.write_settings()
    operator.facts.withheld_from = operator.world.now + round((2 * operator.plan.poll_seconds + A_TURN) * MICRO)
    operator.wait(operator.chance.choice((600, 3600)))
    operator.facts.withheld_from = None
    machine.settings.top = []
    machine.write_settings()
    operator.world.sleep(2 * operator.plan.poll_seconds)  # until everybody has read it
    for fact in operator.facts.known.values():
        if fact.is_silent and fact.key not in machine.graph.taken:
            fact.acknowledged_at, fact.may_be_gone = None, True
    operator.facts.are_silent_withheld = False
