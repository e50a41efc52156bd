"""Names from outside, fit to be shown in answers, logs and terminals."""


def printable_name(text: str) -> str:
    """At most 100 printable characters; "..." if it holds an @ or nothing that can be shown.

    >>> printable_name("colour"), printable_name("joe@example.com")
    ('colour', '...')
    """
    clean = "".join(c for c in text[:1_000] if c.isprintable())[:100]
    return "..." if "@" in text or not clean else clean
