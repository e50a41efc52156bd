"""What became of events, by name and hour: the figures of the overview and of the match keys.

What could go wrong. A page that counts five million rows takes seconds, and takes the disk from whoever accepts events.
A counter in each `put` costs every request. Names are made by whoever sends: a thousand of them would fill the table.

The rule. Nothing is counted when an event is put. When events end, they end together (up to a thousand), and one
statement for each kind of figure counts them by name in the same transaction. A delivered event's body is deleted in
that transaction, so what the body tells is read there: what a sale was worth, and of a few events of each batch which
match keys they carried. Of a trickle every event is looked at; of a flood a sample, and pages say so.

Rejected: an index over the time of the end (every delivered event would pay for it); to look into every body (parsing
JSON took a third of the time that a settlement takes).
"""

from array import array
from typing import Any

import apsw

from conversion_relay.outbox.sqlite.look import Read
from conversion_relay.outbox.story import Figures

KEPT_HOURS = 31 * 24
MOST_NAMES = 100
"""Of one dataset; what has another name is counted as "other"."""
SAMPLE = 16
"""Events of each batch whose match keys are noted."""
DELAYS = (1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 86_400, 604_800)
"""Seconds from accepted to delivered, in steps; the last one stands for everything slower too."""
KEYS = (
    *("em", "ph", "fbc", "fbp", "external_id", "client_ip_address", "client_user_agent", "fn", "ln", "ct", "st"),
    *("zp", "country", "db", "ge", "fb_login_id", "lead_id"),
)


def count_ended(db: apsw.Connection, state: str, keys: "array[int]", now: float) -> None:
    """Before these events end as `state`; those that ended already are not counted."""
    these, hour = apsw.carray(keys), int(now // 3_600)
    if state == "delivered":
        db.execute(_DELIVERED, (these, hour, now))
        db.execute(_WORTH, (these, hour))
        db.execute(_KEYS, (apsw.carray(keys[:SAMPLE]), hour))
    elif state in ("dead", "expired"):
        db.execute(_ENDED, (these, hour, state))


_ADD = "ON CONFLICT DO UPDATE SET n = n + excluded.n"
_OF = "FROM event WHERE key IN carray(?1) AND state = 'waiting'"
_NAME = f"""
iif(EXISTS (SELECT 1 FROM figure AS f WHERE f.dataset = event.dataset AND f.event_name = event.event_name)
  OR (SELECT count(DISTINCT event_name) FROM figure AS f WHERE f.dataset = event.dataset) < {MOST_NAMES},
  event_name, 'other')
"""
_STEPS = " ".join(f"WHEN ?3 - accepted_at <= {most} THEN {most}" for most in DELAYS[:-1])
_DELIVERED = f"""
INSERT INTO figure SELECT dataset, {_NAME}, ?2, 'delay:' || step, sum(n) FROM (
  SELECT dataset, event_name, CASE {_STEPS} ELSE {DELAYS[-1]} END AS step, count(*) AS n {_OF} GROUP BY 1, 2, 3
) AS event GROUP BY 1, 2, 3, 4 {_ADD}
"""
_ENDED = f"""
INSERT INTO figure SELECT dataset, {_NAME}, ?2, ?3, sum(n) FROM (
  SELECT dataset, event_name, count(*) AS n {_OF} GROUP BY 1, 2
) AS event GROUP BY 1, 2 {_ADD}
"""
# What a person calls turnover. A value that is no plain amount is not added: it would spoil the sum for good.
_WORTH = f"""
INSERT INTO figure SELECT dataset, event_name, ?2, 'worth:' || upper(currency), sum(amount) FROM (
  SELECT dataset, event_name, doc ->> '$.custom_data.currency' AS currency,
    CAST(doc ->> '$.custom_data.value' AS REAL) AS amount
  FROM (
    SELECT dataset, event_name, CAST(body AS TEXT) AS doc FROM event JOIN body USING (key)
    WHERE key IN carray(?1) AND state = 'waiting' AND event_name IN ('Purchase', 'Subscribe', 'Donate')
      AND json_valid(CAST(body AS TEXT))))
WHERE currency GLOB '[A-Za-z][A-Za-z][A-Za-z]' AND amount > 0 AND amount < 1e12 GROUP BY 1, 2, 4 {_ADD}
"""
_KEYS = f"""
INSERT INTO figure SELECT dataset, {_NAME}, ?2, what, sum(n) FROM (
  WITH sample AS MATERIALIZED (
    SELECT dataset, event_name, CAST(body AS TEXT) AS doc FROM event JOIN body USING (key)
    WHERE key IN carray(?1) AND state = 'waiting' AND json_valid(CAST(body AS TEXT)))
  SELECT dataset, event_name, 'sampled' AS what, count(*) AS n FROM sample GROUP BY 1, 2
  UNION ALL SELECT dataset, event_name, 'key:' || row.key, count(*) FROM sample, json_each(doc, '$.user_data') AS row
    WHERE row.key IN ({", ".join(f"'{key}'" for key in KEYS)}) GROUP BY 1, 2, 3
) AS event GROUP BY 1, 2, 3, 4 {_ADD}
"""


def prune(db: apsw.Connection, now: float) -> None:
    db.execute("DELETE FROM figure WHERE hour < ?", (int(now // 3_600) - KEPT_HOURS,))


def figures(read: Read, since: float) -> list[Figures]:
    """By dataset, name and hour, the hours rising."""
    found: dict[tuple[str, str, int], dict[str, float]] = {}
    for dataset, name, hour, what, n in read(_FIGURES, (int(since // 3_600),)):
        found.setdefault((dataset, name, hour), {})[what] = n
    return [_figures(*place, whats) for place, whats in found.items()]


def figure_sums(read: Read, since: float, until: float) -> list[Figures]:
    """By dataset and name, all hours of the period in one."""
    found: dict[tuple[str, str, int], dict[str, float]] = {}
    for dataset, name, what, n in read(_SUMS, (_first(since), _first(until))):
        found.setdefault((dataset, name, _first(since)), {})[what] = n
    return [_figures(*place, whats) for place, whats in found.items()]


def delivered_by_hour(read: Read, since: float, until: float) -> list[tuple[str, str, int, int]]:
    rows = read(_DELIVERED_BY_HOUR, (_first(since), _first(until)))
    return [(dataset, name, hour * 3_600, int(n)) for dataset, name, hour, n in rows]


def _first(at: float) -> int:
    """The first hour that begins then or later."""
    return -int(-at // 3_600)


# The rows of a name lie beside each other, by hour: both are one walk through the table, without sorting.
_SUMS = """
SELECT name, event_name, what, n FROM (
  SELECT dataset, event_name, what, sum(n) AS n FROM figure WHERE hour >= ? AND hour < ? GROUP BY 1, 2, 3
) JOIN dataset ON id = dataset
"""
_DELIVERED_BY_HOUR = """
SELECT name, event_name, hour, n FROM (
  SELECT dataset, event_name, hour, sum(n) AS n FROM figure
  WHERE hour >= ? AND hour < ? AND what >= 'delay:' AND what < 'delay;' GROUP BY 1, 2, 3
) JOIN dataset ON id = dataset
"""
_FIGURES = """
SELECT name, event_name, hour, what, n FROM figure JOIN dataset ON id = dataset WHERE hour >= ? ORDER BY 3, 1, 2
"""


def _figures(dataset: str, name: str, hour: int, whats: dict[str, float]) -> Figures:
    parted: dict[str, dict[str, Any]] = {"delay": {}, "worth": {}, "key": {}}
    for what, n in whats.items():
        kind, _, of = what.partition(":")
        if kind in parted:
            parted[kind][of] = n if kind == "worth" else int(n)
    return Figures(
        dataset=dataset,
        event_name=name,
        hour=hour * 3_600,
        delays={int(most): n for most, n in parted["delay"].items()},
        dead=int(whats.get("dead", 0)),
        expired=int(whats.get("expired", 0)),
        worth=parted["worth"],
        sampled=int(whats.get("sampled", 0)),
        keys=parted["key"],
    )
