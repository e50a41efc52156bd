"""Names from outside, fit to be shown in answers, logs and terminals."""

from conversion_relay.event_id import holds_person
from conversion_relay.intake.mending import whole_text
from conversion_relay.intake.scrub.walk import kind_inside


def printable_name(text: str) -> str:
    """At most 100 printable characters; "..." if it holds a person, an @, or nothing that can be shown.

    >>> printable_name("colour"), printable_name("gr\\udcf6sse"), printable_name("joe@example.com")
    ('colour', 'gr\ufffdsse', '...')
    """
    text = whole_text(text[:1_000])
    clean = "".join(c for c in text if c.isprintable())[:100]
    return "..." if not clean or "@" in clean or holds_person(text) or kind_inside(text) else clean
