"""Meta's stand-in: answers as the Conversions API does, on this machine, and can misbehave on command.

Shares no code with what it judges: every rule here was written a second time, from Meta's pages.
"""
