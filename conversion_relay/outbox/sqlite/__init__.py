"""The embedded outbox: one SQLite file on a local disk, for one machine.

In come sealed events, leases, verdicts and an operator's words; out come receipts after the fsync, leases and figures.
This package may know the protocol and the verdicts of the outbox, and nothing of Meta, of HTTP or of how is sent.

Why SQLite: nothing to install or to watch, and one file that a person can copy and read. Why WAL with synchronous=FULL:
readers do not wait for the writer, and a commit is on the disk before anybody hears "accepted"; in simulated power cuts
NORMAL lost every acknowledged event, FULL none. Why APSW: SQLite up to 3.51.2 can corrupt a log that two connections
write (https://sqlite.org/wal.html#walresetbug), and Python brings an older one; APSW brings its own.

From top to bottom: `outbox` has the verbs, with `looks` those that only look; `rows`, `lanes`, `delivered`, `books`,
`ledger`, `operator`, `figures`, `sides`, `visits`, `workers` and `look` are their SQL, and `traces` overwrites what SQL
leaves behind. `database` puts together `writer` (group commit), `connections`, `owner`, `one_at_a_time` and `fork`;
`file` opens, `salvage` and `readable` replace a damaged file, `disk` keeps room, `told` says what is wrong. Beside it
`read_only` looks at a file and leaves it as it is; `backup`, `put_back` and `forgotten` are about copies, `handover`
about the move to PostgreSQL.
"""
