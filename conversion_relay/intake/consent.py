"""May this event leave? Decided at the door, before anything is kept, and again before it is sent.

Three things speak about one event, and they can disagree:
- The visitor's word: "granted", "denied", or nothing. No field of Meta's API carries a European consent, so a "no"
  means that the event is not kept at all:
  https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices
- Global Privacy Control, a signal of the browser. In several US states it is an opt-out of sale and sharing; Meta's
  answer to that is Limited Data Use: https://developers.facebook.com/docs/marketing-apis/data-processing-options
  RELAY_GPC says what it does here: limited_data_use, withhold, ignore.
- Silence: the visitor said nothing. RELAY_CONSENT says what that means: send, limited_data_use, withhold.

The rule: "denied" always wins. Else the stricter of two decisions holds: the one for the signal, and the one for the
word ("granted" sends; nothing follows RELAY_CONSENT). So "granted" overrules silence but not GPC: a signal that the
law calls an opt-out is not undone by a click on a banner.

Why twice: an event may wait in the outbox for days, and the operator may change RELAY_CONSENT meanwhile. The word that
was given is kept beside the sealed event, so the second decision asks the same function (`delivery/before_sending.py`).
Rejected: a boolean "consent" member. It cannot say "nothing was asked", and false would have meant both.
"""

from enum import Enum
from typing import Literal

GpcPolicy = Literal["limited_data_use", "withhold", "ignore"]
SilencePolicy = Literal["send", "limited_data_use", "withhold"]
"""What becomes of an event whose visitor said nothing (RELAY_CONSENT)."""


class Decision(Enum):
    """What may be done with an event, from free to strict."""

    SEND = "send"
    LIMITED_DATA_USE = "limited_data_use"
    WITHHOLD = "withhold"


POLICY_HEADER = "X-Relay-Policy"
"""With each answer to a page: what `told` says. The page's script keeps the pixel to the same policy."""
_TOLD_OF_GPC = {"limited_data_use": "limit", "withhold": "withhold", "ignore": "ignore"}
_TOLD_OF_SILENCE = {"send": "optional", "limited_data_use": "limit", "withhold": "required"}


def told(policy: GpcPolicy, silence: SilencePolicy) -> str:
    """RELAY_GPC and RELAY_CONSENT as a page's script reads them; the words stay.

    >>> told("limited_data_use", "send"), told("withhold", "withhold")
    ('gpc=limit, consent=optional', 'gpc=withhold, consent=required')
    """
    return f"gpc={_TOLD_OF_GPC[policy]}, consent={_TOLD_OF_SILENCE[silence]}"


_STRICTNESS = (Decision.SEND, Decision.LIMITED_DATA_USE, Decision.WITHHOLD)


def decision(
    consent: Literal["granted", "denied"] | None,
    *,
    gpc: bool,
    policy: GpcPolicy = "limited_data_use",
    silence: SilencePolicy = "send",
) -> Decision:
    """The strictest of what the visitor said, what the browser signals, and what the operator wants for silence.

    >>> decision("denied", gpc=False), decision(None, gpc=True), decision(None, gpc=False)
    (<Decision.WITHHOLD: 'withhold'>, <Decision.LIMITED_DATA_USE: 'limited_data_use'>, <Decision.SEND: 'send'>)
    >>> decision(None, gpc=True, silence="withhold"), decision("granted", gpc=False, silence="withhold")
    (<Decision.WITHHOLD: 'withhold'>, <Decision.SEND: 'send'>)
    """
    if consent == "denied":
        return Decision.WITHHOLD
    signal = Decision(policy) if gpc and policy != "ignore" else Decision.SEND
    spoken = Decision.SEND if consent == "granted" else Decision(silence)
    return max(signal, spoken, key=_STRICTNESS.index)
