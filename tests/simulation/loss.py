"""What is not demanded any more after a disk lied, or an old copy of the outbox was put back.

No outbox can keep what its disk did not, and a backup does not know what came after it: such events may be lost, may be
accepted a second time with another body, and may be sent though they were erased in between. What the file still holds
has to hold all the same: it opens, its books balance, and everything in it ends.
"""

from tests.simulation.facts import Facts


def forgive(facts: Facts, since: int = -1) -> None:
    """`since`: virtual microseconds; what was acknowledged, erased or taken back after it."""
    for fact in facts.known.values():
        if fact.acknowledged_at is None or fact.acknowledged_at > since:
            fact.acknowledged_at = None
            facts.graph.may_differ.add(fact.key)
    for fact in facts.gone:
        if (fact.gone_at or 0) > since:
            fact.taken_back_at = fact.erased_at = None
    facts.gone[:] = [fact for fact in facts.gone if fact.is_gone]
    facts.times_forgiven += 1


def forget_ledger(facts: Facts) -> None:
    """The ledger forgets what ended eight days ago by the machine's clock, which was set so far."""
    facts.graph.may_differ.update(facts.known)
    for fact in facts.gone:
        fact.taken_back_at = fact.erased_at = None
        fact.acknowledged_at = None
    facts.gone.clear()
    facts.times_forgiven += 1
