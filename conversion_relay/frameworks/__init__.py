"""The doors into other people's programs: one file or folder for each framework, and a fixture for pytest.

A framework's request becomes `RequestFacts` (who asks, from which page, what they said about consent), and a Relay of
the program's own tracks. Nothing here decides anything about an event, and no framework is imported before its own file
is: a Django shop does not have Flask.
"""
