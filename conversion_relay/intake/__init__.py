"""The door: a person comes in, a sealed event goes out. After this room no code can see a person.

In comes a `Submission` (an event as a caller wrote it), the `RequestFacts` of the visitor's own request, and the
operator's `Policy`. Out comes an `Acceptance` with a `SealedEvent` (hashed, final bytes) or a `Rejection` that names
the field, the rule and the remedy, and never the value. Everything is pure: `now` and `entropy` are arguments. This
room may not know an outbox, a network or a framework; the doors (collector, webhooks, CLI, Lambda) know it.

reading.py        bytes -> events; wrong shapes told by field
request_facts.py  headers and socket -> whose address, which browser, which click
consent.py        may this event leave?
accept.py         the door itself, step by step
scrub/            persons taken out of every text that is sent: free objects, URLs, ids, match keys
visit.py          what is remembered of a visitor for the webhook that comes later
browser.py        which pages may call a door, and the two ids that Meta knows a browser by
examine.py        everything that is wrong with a document, for `conversion-relay validate`

The names are not handed on here: a Lambda function that needs one of these modules must not load all of them.
"""
