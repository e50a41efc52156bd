-- From schema 2, which knew neither consent nor visitors nor what the pixel sent.
ALTER TABLE event ADD COLUMN consent TEXT;
-- The first files of schema 2 had it; every delivered event paid for it.
DROP INDEX IF EXISTS event_ledger;

-- SCHEMA

-- A report of the pixel moves an event that is known from here to `both`.
INSERT INTO meter SELECT dataset, event_name, 'server_only', count(*) FROM event GROUP BY 1, 2;
