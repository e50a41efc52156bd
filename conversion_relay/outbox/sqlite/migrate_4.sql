-- From schema 4, which wrote each delivered event into its own row at once. Only tables are new: a process of the
-- version before, which still has the file open, goes on.

-- SCHEMA
