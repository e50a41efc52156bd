-- From schema 4, which wrote each delivered event into its own row at once.
ALTER TABLE lease ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;

-- SCHEMA
