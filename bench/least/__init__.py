"""The baselines ("limit"): plain Python with the same libraries, doing the least that the work needs.

Nobody could run a shop on these: no rule of Meta's is complete here, nothing is validated, judged or recorded. They say
what the interpreter, msgspec, SHA-256, uvicorn, SQLite and a socket cost when nothing else is done.
"""
