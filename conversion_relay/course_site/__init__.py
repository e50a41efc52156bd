"""The website backend of a course seller: the relay's first customer, using public names only.

Framework-free: a `SiteRequest` goes in, an `SiteAnswer` comes out, so that the demo's pages and AWS's functions are the
same code behind two doors.
"""
