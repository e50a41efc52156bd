"""The website backend of a course seller, and the relay's first customer: it uses public names only.

In come a `SiteRequest` (method, headers, bytes, `RequestFacts`) from a door that knows the framework; out goes a
`SiteAnswer`. So the demo's pages (`app.py`) and AWS's functions (`on_lambda.py`) are the same code behind two doors.

`shop.py` holds the ports (registrations, mail, relay); each endpoint has a file; `site.py` is the routes. Imports go
doors > site > endpoints > shop. The site knows its customers by name and keeps them in its own store; what it tells
the relay is an `Event`, and it may not know how that is hashed, kept or sent.
"""
