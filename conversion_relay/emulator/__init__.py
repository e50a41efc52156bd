"""Meta's stand-in: answers as the Conversions API and the pixel do, on this machine, and misbehaves on command.

In come Graph API requests (three encodings, three places for the token), pixel requests, and controls under
/_emulator/; out come Meta's answers, and a page that shows what arrived and which of it Meta would count once.

This room may import nothing of ours. It judges the relay, so its rules are written a second time, from Meta's pages:
a mistake in reading them, shared by both sides, would never be found. Where relay and stand-in differ, a test on random
events says so (`tests/intake/test_examine.py`), and Meta's own SDKs are run against it (`tests/emulator`).
Errors that were recorded from Meta are repeated to the letter; the others carry the header X-Emulator-Inferred.
"""
