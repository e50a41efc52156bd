"""The outbox in PostgreSQL, for several machines. See `outbox.py`."""
