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


def whole_number_of(text: str) -> str:
    """A table with a gap in a column makes floats of whole numbers: a zip of 94035.0 would be hashed as 940350. Not of
    more than 15 digits, of which a float may have lost some.

    >>> whole_number_of("94035.0"), whole_number_of("1.0.0"), whole_number_of("M1 1AE")
    ('94035', '1.0.0', 'M1 1AE')
    """
    return text[:-2] if len(text) <= 17 and text.endswith(".0") and text[:-2].isdecimal() else text
