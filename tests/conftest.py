"""Hypothesis: the same examples on every machine, as many as RELAY_TEST_EXAMPLES asks for."""

import os

from hypothesis import settings

settings.register_profile(
    "relay", max_examples=int(os.environ.get("RELAY_TEST_EXAMPLES", "100")), deadline=None, print_blob=True
)
settings.load_profile("relay")
