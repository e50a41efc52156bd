"""Two foldings that several keys and the table generator share: names of places to letters, digits to 0-9.

They stand apart from `place.py`, which reads the tables that the generator writes with `name_key`.
"""

import unicodedata


def name_key(text: str) -> str:
    """A name as the tables know it: letters only, no accents, folded.

    >>> name_key("Côte d’Ivoire"), name_key("Île-de-France")
    ('cotedivoire', 'iledefrance')
    """
    if text.isascii() and text.isalpha() and len(text) <= 1_024:
        return text.lower()
    # To bring a long run of combining marks into order takes the square of its length.
    decomposed = unicodedata.normalize("NFKD", text[:1_024].casefold())
    return "".join(c for c in decomposed if unicodedata.category(c)[0] == "L").casefold()


def ascii_digits(text: str) -> str:
    """Decimal digits of any script as 0-9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
