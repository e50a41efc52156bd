"""The whole system in one thread, under a clock and a chance that one seed decides.

What could go wrong. The faults that cost events lie between parts and in time: a lease that runs out while Meta is
slow, a restart between two commits, an outage that ends while a refused batch is being halved. Tests of parts do not
meet them, and runs in real time meet too few.

The idea is FoundationDB's (https://apple.github.io/foundationdb/testing.html). The product's own code runs: door,
outbox on a real SQLite, delivery, pace, isolation. What waits or races belongs to the world: threads are greenlets
(`scheduler.py`), locks, queues, pools and clocks are doubles that switch between them (`doubles.py`), the disk is a
VFS that knows what was synced (`disk.py`, `vfs.py`), Meta is a population of behaviours (`meta.py`, `answers.py`,
`templates.py`), sites and operators draw what they do (`people.py`; `operators.py`, `on_*.py`). One
`random.Random(seed)` decides everything, so a seed is a history, and the same seed is the same history again.

`stage.py` puts the doubles in place, `run.py` plays one world, `watch.py` names all that is checked meanwhile,
`plan.py` draws a world and makes a failing one smaller. For people: `make simulate`, and
`python -m tests.simulation --seed N` for a story.
"""
