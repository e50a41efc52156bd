"""A visitor's wishes in a table: which columns hold them, and what their cells say.

What could go wrong. A list of orders says of each buyer whether they agreed or opted out, in a column of whatever name
and in the words of a spreadsheet (`no`, `FALSE`, `DENIED`). Passed over, or not understood, the row goes to Meta as if
nobody had said anything, with the verdict "accepted".

The rule. Columns by the names of `Event` are read as its members are, and a cell that is neither yes nor no refuses its
row. A column whose heading tells of a wish by another name is asked about, whatever its first rows say.
"""

from collections.abc import Callable, Sequence
from typing import Any

from conversion_relay.cli.table.dialect import Question
from conversion_relay.event import Rejection
from conversion_relay.intake.members import Refused, read_consent, read_options
from conversion_relay.intake.spellings import spelling
from conversion_relay.intake.wishes import meant_by, read_wish, says_no
from conversion_relay.personal_data import folded

_WHERE = ("data_processing_options_country", "data_processing_options_state")
WISHES = (
    "consent",
    "gpc",
    "opt_out",
    "data_processing_options",
    *_WHERE,
)
_CONSENT = tuple(
    folded(
        "gdpr|dsgvo|rgpd|consent|einwilligung|zustimmung|einverständnis|consenso|toestemming|zgoda|samtycke|samtykke|suostumus"
        "|согласие|同意|동의"
    ).split("|")
)
"""In whatever heading they stand; the Romance languages begin theirs like the English one."""
_YES = ("true", "yes", "1")


def unanswered(headings: Sequence[str], fields: Sequence[str], answered: Sequence[str]) -> list[Question]:
    """`fields`: what the columns mean, "" for one that is left out. `answered`: columns that an option names."""
    questions = []
    for heading, field in zip(headings, fields, strict=True):
        if not field and heading not in answered and (meant := _tells_wish(heading)):
            what = f"{heading!r} tells what visitors wished, and every row would be sent as if they had said nothing"
            questions.append(Question(what, (f"--map '{heading}={meant}'", f"--map '{heading}=-'")))
    return questions


def wishes(cell: Callable[[str], str]) -> dict[str, Any] | Rejection:
    """Of one row, the members of its event. `cell`: what stands in the column of a field."""
    found: dict[str, Any] = {}
    try:
        if said := cell("consent"):
            found["consent"] = _consent(said)
    except Refused as refused:
        (why,) = refused.args
        return why  # type: ignore[no-any-return]
    for field in ("gpc", "opt_out"):
        if said := cell(field):
            found[field] = read_wish(said)
    if said := cell("data_processing_options"):
        found["data_processing_options"] = read_options(said)
        for field in _WHERE:
            number = cell(field)
            if number.isascii() and number.isdecimal() and len(number) < 10:
                found[field] = int(number)
    return found


def _consent(said: str) -> str:
    """A spreadsheet knows yes and no, TRUE and FALSE. Raises Refused for what is neither."""
    word = said.strip().lower()
    if says_no(word):
        return "denied"
    return read_consent(True if word in _YES else word)


def _tells_wish(heading: str) -> str | None:
    """The field that it may be.

    >>> _tells_wish("Marketing Consent"), _tells_wish("Werbeeinwilligung"), _tells_wish("Do not sell")
    ('consent', 'consent', 'gpc')
    """
    if meant := meant_by(spelling(heading)):
        return meant
    plain = folded(heading).lower()
    return "consent" if any(word in plain for word in _CONSENT) else None
