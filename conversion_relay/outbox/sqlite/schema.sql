-- The embedded outbox. One row of `event` is one event, from the commit before its 202 until eight days after its end.
--
--          put                claim                 settle: Delivered
--   ( ) ────────▶ pending ───────────▶ leased ─────────────────────────▶ delivered
--                  ▲  ▲                  │ │ │     settle: Dead
--                  │  │ RetryAt, Park,   │ │ └─────────────────────────▶ dead ──┐
--                  │  └──────────────────┘ │       settle: Expired              │ replay
--                  │  released, owner died └───────────────────────────▶ expired│
--                  └────────────────────────────────────────────────────────────┘
--   erase: from any state to erased; held events are pending, until somebody replays them or they expire
--   withdraw: from pending or dead to erased; from leased, unless Meta gets it first. settle Withhold: from leased
--   settle Delivered, where the events lie far apart: first a row of `delivered`, then each event's own
--
-- What an event is stays in `event`, what is sent in `body`, and whose turn it is in `queue`; so claiming a thousand
-- events touches a few pages however many wait, and settling them gives the bodies' pages back whole.

CREATE TABLE dataset (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE event (
  key         INTEGER PRIMARY KEY,
  dataset     INTEGER NOT NULL REFERENCES dataset (id),
  event_name  TEXT NOT NULL,
  event_id    TEXT NOT NULL,
  event_time  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  accepted_at REAL NOT NULL,
  -- waiting: pending when it stands in `queue`, leased when a row of `lease` holds it, else `delivered` has it
  state       TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead', 'expired', 'erased')),
  attempts    INTEGER NOT NULL DEFAULT 0,
  sent_at     REAL,     -- since when Meta may have it without having said so
  settled_at  REAL,
  reason      TEXT,
  answer      INTEGER REFERENCES answer (id),
  consent     TEXT,     -- 'granted' where the visitor said so, 'withdrawn' where it was taken back while leased
  UNIQUE (event_id, dataset, event_name)
) STRICT;

CREATE INDEX event_dead ON event (settled_at) WHERE state = 'dead';

-- What Meta gets, until it has it. It names a browser, so it goes when the event is delivered, expired or erased.
CREATE TABLE body (
  key      INTEGER PRIMARY KEY REFERENCES event (key),
  checksum INTEGER NOT NULL,
  body     BLOB NOT NULL
) STRICT;

-- lane 0, live: fresh events by the time they were accepted. lane 1, backlog: by deadline, but first (by the time they
-- were sent) those that Meta may have already. lane 2, later: by the time they are due. lane 3, held: by deadline.
-- lane 4, suspects (reason 'suspect'): refused together with others, tried apart; by the time from which they may be.
CREATE TABLE queue (
  dataset INTEGER NOT NULL,
  lane    INTEGER NOT NULL,
  rank    REAL NOT NULL,
  key     INTEGER NOT NULL,
  PRIMARY KEY (dataset, lane, rank, key)
) STRICT, WITHOUT ROWID;

-- A worker's right to settle. `until` counts on the machine's clock since boot, which nobody sets.
CREATE TABLE lease (
  token   TEXT PRIMARY KEY,
  owner   TEXT NOT NULL,
  dataset INTEGER NOT NULL,
  since   REAL NOT NULL,
  until   REAL NOT NULL,
  keys    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

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
  fbtrace_id TEXT,
  sentence   TEXT,
  field      TEXT,
  "index"    INTEGER
) STRICT;

CREATE INDEX answer_at ON answer (at);

-- The answers that did not settle an event; the one that did is event.answer.
CREATE TABLE retried (
  event  INTEGER NOT NULL,
  answer INTEGER NOT NULL,
  PRIMARY KEY (event, answer)
) STRICT, WITHOUT ROWID;

-- The books, kept in the transactions that move events, so that counting costs nothing at ten million rows.
CREATE TABLE tally (
  dataset INTEGER NOT NULL,
  state   TEXT NOT NULL,
  n       INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (dataset, state)
) STRICT, WITHOUT ROWID;

-- Since schema 3

-- What a webhook or a backend cannot know of the visitor whose order it reports; for seven days.
CREATE TABLE visitor (
  key      TEXT PRIMARY KEY,
  document BLOB NOT NULL,
  seen_at  REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX visitor_seen ON visitor (seen_at);

-- What a page's pixel said it sent. Where the event stands in `event` too, Meta got both sides.
CREATE TABLE pixel (
  event_id   TEXT NOT NULL,
  dataset    INTEGER NOT NULL,
  event_name TEXT NOT NULL,
  at         REAL NOT NULL,
  PRIMARY KEY (event_id, dataset, event_name)
) STRICT, WITHOUT ROWID;

CREATE INDEX pixel_at ON pixel (at);

-- How many events came from both sides, the server alone, the browser alone; moved as they are stored and reported.
CREATE TABLE meter (
  dataset    INTEGER NOT NULL,
  event_name TEXT NOT NULL,
  side       TEXT NOT NULL CHECK (side IN ('both', 'server_only', 'browser_only')),
  n          INTEGER NOT NULL,
  PRIMARY KEY (dataset, event_name, side)
) STRICT, WITHOUT ROWID;

-- Since schema 4

-- What became of the events of one name in one hour, for pages that must be quick at ten million events
-- (`figures.py`). `what`: delay:SECONDS (delivered within so many), dead, expired, worth:EUR, sampled, key:em.
CREATE TABLE figure (
  dataset    INTEGER NOT NULL,
  event_name TEXT NOT NULL,
  hour       INTEGER NOT NULL,
  what       TEXT NOT NULL,
  n          REAL NOT NULL,
  PRIMARY KEY (dataset, event_name, hour, what)
) STRICT, WITHOUT ROWID;

-- Who delivers, and how each dataset is doing there; written every few seconds, so that a page or a command in another
-- process can tell that nobody does.
CREATE TABLE worker (
  name     TEXT PRIMARY KEY,
  seen_at  REAL NOT NULL,
  document BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What a person was told (RELAY_NOTIFY), so that each cause is told once, by one process, and its end too.
CREATE TABLE notice (
  cause TEXT PRIMARY KEY,
  at    REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Since schema 5

-- Batches that Meta has whole, and whose events lie far apart: their own rows say so a little later (`delivered.py`).
CREATE TABLE delivered (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  at       REAL NOT NULL,
  answer   INTEGER,
  checksum INTEGER NOT NULL,
  keys     BLOB NOT NULL
) STRICT;

-- Leases that may have lost an event to an erasure, so that not all of their keys are delivered.
CREATE TABLE reduced (
  token TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
