"""Sending: from leased events to verdicts.

In comes a lease of the outbox; out go requests to Meta, one after the other, and a verdict for each event, which the
outbox commits. A dataset that is throttled, hangs or has a dead token waits and holds up nobody else; one bad event
never takes its batch with it; silence never kills an event.

Read `turn.py` (the eight steps, and which dataset is next), then `sitting.py` (one lease). The deciding half does no
I/O and reads no clock: `retry.py`, `pace.py`, `isolation.py`, `before_sending.py`. This room does not know where events
came from, nor who is in them: it sees sealed bytes.
"""
