"""Tables of events, as `import` reads them: how a CSV file is written, what its columns mean, one row as an event.

Pure but for `lines.py`, which reads a file as a stream. What cannot be known from the file (which of 03/04 is the
month, whether 1.234 is a thousand) is a `Question`: it names the option that answers it. Nothing is guessed silently.
"""
