"""The documents as a site, and the pages of the reference that the code writes: `python -m tests.documents`."""
