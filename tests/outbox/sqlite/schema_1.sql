-- The embedded outbox. One row is one event, from the commit before its 202 until eight days after its end.
--
--          put                claim                 settle: Delivered
--   ( ) ────────▶ pending ───────────▶ leased ─────────────────────────▶ delivered
--                  ▲  ▲                  │ │ │     settle: Dead
--                  │  │ RetryAt, Park,   │ │ └─────────────────────────▶ dead ──┐
--                  │  └──────────────────┘ │       settle: Expired              │ replay
--                  │    lease ran out      └───────────────────────────▶ expired│
--                  └────────────────────────────────────────────────────────────┘
--   erase: from any state to erased
--
-- A settled row keeps its key, so that a late duplicate is still known, and loses its body, which names a browser.

CREATE TABLE event (
  key          INTEGER PRIMARY KEY,
  dataset      TEXT NOT NULL,
  event_name   TEXT NOT NULL,
  event_id     TEXT NOT NULL,
  event_time   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  accepted_at  REAL NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('pending', 'leased', 'delivered', 'dead', 'expired', 'erased')),
  due_at       REAL NOT NULL,
  attempts     INTEGER NOT NULL DEFAULT 0,
  body         BLOB,
  checksum     INTEGER,
  lease        TEXT,
  owner        TEXT,
  leased_until REAL,
  settled_at   REAL,
  reason       TEXT,
  answer       INTEGER REFERENCES answer (id),
  UNIQUE (dataset, event_name, event_id)
) STRICT;

CREATE INDEX event_due ON event (dataset, due_at) WHERE state = 'pending';
CREATE INDEX event_expiry ON event (dataset, expires_at) WHERE state = 'pending';
CREATE INDEX event_lease ON event (leased_until, owner) WHERE state = 'leased';
CREATE INDEX event_dead ON event (settled_at) WHERE state = 'dead';
CREATE INDEX event_ledger ON event (settled_at) WHERE state IN ('delivered', 'expired', 'erased');
CREATE INDEX event_by_id ON event (event_id);

-- What Meta said to one request (or that it said nothing).
CREATE TABLE answer (
  id         INTEGER PRIMARY KEY,
  at         REAL NOT NULL,
  outcome    TEXT NOT NULL,
  why        TEXT,
  status     INTEGER,
  code       INTEGER,
  subcode    INTEGER,
  title      TEXT,
  fbtrace_id TEXT
) STRICT;

-- The answers that did not settle an event; the one that did is event.answer.
CREATE TABLE retried (
  event  INTEGER NOT NULL,
  answer INTEGER NOT NULL,
  PRIMARY KEY (event, answer)
) STRICT, WITHOUT ROWID;

-- The books, kept in the transactions that move events, so that counting costs nothing at ten million rows.
CREATE TABLE tally (
  dataset TEXT NOT NULL,
  state   TEXT NOT NULL,
  n       INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (dataset, state)
) STRICT, WITHOUT ROWID;
