"""Verbs of `manage.py`, one file each."""
