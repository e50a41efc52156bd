-- From schema 1, where one table held an event, its body, its lease and its turn.
ALTER TABLE event RENAME TO event_1;
ALTER TABLE answer RENAME TO answer_1;
ALTER TABLE retried RENAME TO retried_1;
ALTER TABLE tally RENAME TO tally_1;
DROP INDEX event_due;
DROP INDEX event_expiry;
DROP INDEX event_lease;
DROP INDEX event_dead;
DROP INDEX event_ledger;
DROP INDEX event_by_id;

-- SCHEMA

INSERT INTO dataset (name) SELECT DISTINCT dataset FROM tally_1 ORDER BY 1;
INSERT INTO answer (id, at, outcome, why, status, code, subcode, title, fbtrace_id)
SELECT id, at, outcome, why, status, code, subcode, title, fbtrace_id FROM answer_1;
INSERT INTO event
SELECT key, dataset.id, event_name, event_id, event_time, expires_at, accepted_at,
  iif(state IN ('pending', 'leased'), 'waiting', state), attempts, iif(state = 'leased', accepted_at, NULL), settled_at,
  reason, answer, NULL
FROM event_1 JOIN dataset ON dataset.name = event_1.dataset;
INSERT INTO body SELECT key, checksum, body FROM event_1 WHERE body NOT NULL AND state IN ('pending', 'leased', 'dead');
INSERT INTO queue
SELECT dataset, 1, coalesce(sent_at, expires_at), key FROM event WHERE state = 'waiting';
INSERT INTO retried SELECT * FROM retried_1;
INSERT INTO tally
SELECT dataset.id, iif(state = 'leased', 'pending', state), sum(n)
FROM tally_1 JOIN dataset ON dataset.name = tally_1.dataset GROUP BY 1, 2;
INSERT INTO meter SELECT dataset, event_name, 'server_only', count(*) FROM event GROUP BY 1, 2;

DROP TABLE event_1;
DROP TABLE answer_1;
DROP TABLE retried_1;
DROP TABLE tally_1;
