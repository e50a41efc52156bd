"""One scrubber over every text that leaves intake: what is a person's is taken out, and told.

clean.py   the quick look that most events are done with
walk.py    free objects (`custom_data` ...) at any depth: names, values, lists
names.py   whether a member's name says that it is a person's
words.py   the words of that, in the languages that sites are written in
url.py     URLs: what may stay, and what of that holds a person
members.py members with a rule of their own: ids, URLs, match keys that are sent as they came

How a digest comes into an id is `event_id.py`'s part, since two sides must make the same one; what a text holds is
`personal_data`'s. The rules for a reader who does not read code: docs/privacy.md.
"""

from conversion_relay.intake.scrub.clean import is_surely_nobodys, may_hold_personal_data
from conversion_relay.intake.scrub.members import scrub_event_id, scrub_match_keys, scrub_page
from conversion_relay.intake.scrub.url import LONGEST_URL, PAGE, QUERY_KEYS, careful_url, quick_url, scrub_url
from conversion_relay.intake.scrub.walk import HOLDS, LONGEST_TEXT, MOST_LOOKED_AT, Removed, without_personal_data

__all__ = [
    "HOLDS",
    "LONGEST_TEXT",
    "LONGEST_URL",
    "MOST_LOOKED_AT",
    "PAGE",
    "QUERY_KEYS",
    "Removed",
    "careful_url",
    "is_surely_nobodys",
    "may_hold_personal_data",
    "quick_url",
    "scrub_event_id",
    "scrub_match_keys",
    "scrub_page",
    "scrub_url",
    "without_personal_data",
]
