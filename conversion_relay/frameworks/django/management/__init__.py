"""Verbs of `manage.py`."""
