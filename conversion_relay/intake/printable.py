"""Names from outside, fit to be shown in answers, logs and terminals."""

from conversion_relay.event_id import holds_person


def printable_name(text: str) -> str:
    """At most 100 printable characters; "..." if it holds a person, an @, or nothing that can be shown.

    >>> printable_name("colour"), printable_name("joe@example.com"), printable_name("+1 650 555 1212")
    ('colour', '...', '...')
    """
    clean = "".join(c for c in text[:1_000] if c.isprintable())[:100]
    return "..." if not clean or "@" in clean or holds_person(text[:1_000]) else clean
