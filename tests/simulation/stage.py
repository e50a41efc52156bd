"""Puts the doubles in place, then imports the product, then plays. One OS process does this once, and plays one world
after the other."""

from tests.simulation import doubles, scheduler, vfs
from tests.simulation.ending import Ending
from tests.simulation.plan import Plan, draw

scheduler.begin(0)
doubles.install()
_files = vfs.install()

from tests.simulation import run  # noqa: E402 - what it imports must find the doubles


def play(plan: Plan) -> Ending:
    """How this world ended."""
    return run.play(plan, _files)


play(draw(0, 0.1))  # whatever is imported, drawn and cached at first use is done with
