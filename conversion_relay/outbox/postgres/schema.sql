-- The outbox of several machines. Statements are parted by lines that hold two dashes alone; `relay` stands for the
-- name of the schema. What an event is stays in `event`, what is sent in `body`, whose turn it is in `queue`, as in the
-- embedded outbox; `sqlite/schema.sql` draws the states.
--
-- What differs, since here deleted rows stay until VACUUM and each index is written again when a row is updated:
-- * `event` is never updated on the way that nearly every event goes. A delivered event is a key in a row of
--   `delivered`, a thousand of them in one row. Only a retry, a refusal, an end without delivery updates its row.
-- * `event` is parted by two days (in the upper bits of `key`), and an old part is dropped whole (`ledger.py`).
-- * Counters have 16 rows each, so that two processes do not wait for each other's commit (`books.py`).

CREATE TABLE relay.about (
  version     int NOT NULL,
  -- A key, since schema 3: a publication FOR ALL TABLES refuses each change of a table that has none.
  id          text NOT NULL PRIMARY KEY,
  -- events with smaller keys stand in `event_old`, the few that were kept of dropped parts
  old_until   bigint NOT NULL DEFAULT 0
)
--
-- One row for each transaction, by which its fate is known when the connection was lost in its commit (`database.py`).
-- `asked`: it is not the transaction's, but that of a question what became of it.
CREATE TABLE relay.mark (
  id uuid PRIMARY KEY, asked boolean NOT NULL DEFAULT false, at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0)
--
-- Each process takes 1,024 numbers at once and makes its keys of them.
CREATE SEQUENCE relay.event_number INCREMENT BY 1024 MINVALUE 1024 MAXVALUE 274877905920 CYCLE
--
CREATE TABLE relay.dataset (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE)
--
CREATE TABLE relay.event (
  key         bigint NOT NULL PRIMARY KEY,
  digest      uuid NOT NULL,  -- of the id, then of dataset, name and id (`keys.py`)
  dataset     int NOT NULL,
  event_name  text NOT NULL,
  event_id    text NOT NULL,
  event_time  bigint NOT NULL,
  expires_at  bigint NOT NULL,
  accepted_at float8 NOT NULL,
  -- waiting: pending when it stands in `queue`, leased when a row of `lease` holds it, else a row of `delivered` does
  state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'dead', 'expired', 'erased')),
  attempts    int NOT NULL DEFAULT 0,
  sent_at     float8,
  settled_at  float8,
  reason      text,
  answer      bigint,
  consent     text
) PARTITION BY RANGE (key)
--
CREATE TABLE relay.event_old PARTITION OF relay.event FOR VALUES FROM (MINVALUE) TO (0)
--
CREATE UNIQUE INDEX event_old_digest ON relay.event_old (digest)
--
CREATE INDEX event_dead ON relay.event (settled_at) WHERE state = 'dead'
--
CREATE TABLE relay.body (key bigint PRIMARY KEY, checksum bigint NOT NULL, body bytea NOT NULL) WITH (
  autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_scale_factor = 0.05)
--
-- Hashes do not compress.
ALTER TABLE relay.body ALTER COLUMN body SET STORAGE EXTERNAL
--
CREATE TABLE relay.queue (
  dataset int NOT NULL,
  lane    int NOT NULL,  -- as in `sqlite/lanes.py`
  rank    float8 NOT NULL,
  key     bigint NOT NULL,
  PRIMARY KEY (dataset, lane, rank, key)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_scale_factor = 0.05)
--
-- `until` is the database's time, `since` the claimer's.
CREATE TABLE relay.lease (
  token   text PRIMARY KEY,
  owner   text NOT NULL,
  dataset int NOT NULL,
  since   float8 NOT NULL,
  until   timestamptz NOT NULL,
  keys    bigint[] NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0)
--
CREATE TABLE relay.delivered (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at     float8 NOT NULL,
  answer bigint,
  lo     bigint NOT NULL,
  hi     bigint NOT NULL,
  keys   bigint[] NOT NULL
)
--
CREATE INDEX delivered_hi ON relay.delivered (hi)
--
CREATE TABLE relay.answer (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         float8 NOT NULL,
  outcome    text NOT NULL,
  why        text,
  status     int,
  code       bigint,
  subcode    bigint,
  title      text,
  fbtrace_id text,
  sentence   text,
  field      text,
  "index"    int
)
--
CREATE TABLE relay.retried (event bigint, answer bigint, PRIMARY KEY (event, answer))
--
CREATE TABLE relay.tally (
  dataset int, state text, slot int, n bigint NOT NULL, PRIMARY KEY (dataset, state, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0)
--
CREATE TABLE relay.visitor (key text PRIMARY KEY, document bytea NOT NULL, seen_at float8 NOT NULL)
--
CREATE INDEX visitor_seen ON relay.visitor (seen_at)
--
CREATE TABLE relay.pixel (
  digest uuid PRIMARY KEY, dataset int NOT NULL, event_name text NOT NULL, event_id text NOT NULL, at float8 NOT NULL
)
--
CREATE INDEX pixel_at ON relay.pixel (at)
--
CREATE TABLE relay.meter (
  dataset int, event_name text, side text, slot int, n bigint NOT NULL, PRIMARY KEY (dataset, event_name, side, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0)
--
CREATE TABLE relay.figure (
  dataset int, event_name text, hour int, what text, slot int, n float8 NOT NULL,
  PRIMARY KEY (dataset, event_name, hour, what, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0)
--
-- Since schema 2. Pages ask for the last hours of a month.
CREATE INDEX figure_hour ON relay.figure (hour)
--
CREATE TABLE relay.worker (name text PRIMARY KEY, seen_at float8 NOT NULL, document bytea NOT NULL)
--
CREATE TABLE relay.notice (cause text PRIMARY KEY, at float8 NOT NULL)
--
-- What a caller put within a transaction of its own: without a unique index, so that nobody waits for that caller.
CREATE TABLE relay.inbox (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dataset    text NOT NULL,
  event_name text NOT NULL,
  event_id   text NOT NULL,
  event_time bigint NOT NULL,
  expires_at bigint NOT NULL,
  put_at     float8 NOT NULL,
  consent    text,
  body       bytea NOT NULL
)
--
-- How far an embedded outbox was moved to here (`moving.py`).
CREATE TABLE relay.moved (source text PRIMARY KEY, key bigint NOT NULL)
--
CREATE VIEW relay.story AS
SELECT e.key, e.digest, e.dataset, e.event_name, e.event_id, e.event_time, e.expires_at, e.accepted_at,
  CASE WHEN e.state <> 'waiting' THEN e.state WHEN d.at IS NOT NULL THEN 'delivered'
    WHEN l.token IS NOT NULL THEN 'leased' ELSE 'pending' END AS state,
  CASE WHEN d.at IS NOT NULL THEN e.attempts + 1 ELSE e.attempts END AS attempts,
  coalesce(d.at, e.settled_at) AS settled_at,
  CASE WHEN d.at IS NULL THEN e.reason END AS reason,
  coalesce(d.answer, e.answer) AS answer
FROM relay.event e
LEFT JOIN LATERAL (SELECT at, answer FROM relay.delivered
  WHERE e.state = 'waiting' AND hi >= e.key AND lo <= e.key AND e.key = ANY (keys) LIMIT 1) d ON true
LEFT JOIN LATERAL (SELECT token FROM relay.lease
  WHERE e.state = 'waiting' AND d.at IS NULL AND e.key = ANY (keys) LIMIT 1) l ON true
