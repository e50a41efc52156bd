"""May this event leave? Decided before anything is kept, and again before it is sent.

No field of Meta's API carries a European consent, so a "no" means the event stays here:
https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices
Global Privacy Control is an opt-out of sale and sharing in several US states; Meta's answer to it is Limited Data
Use: https://developers.facebook.com/docs/marketing-apis/data-processing-options
"""

from enum import Enum
from typing import Literal

GpcPolicy = Literal["limited_data_use", "withhold", "ignore"]
SilencePolicy = Literal["send", "limited_data_use", "withhold"]
"""What becomes of an event whose visitor said nothing."""


class Decision(Enum):
    SEND = "send"
    LIMITED_DATA_USE = "limited_data_use"
    WITHHOLD = "withhold"


_STRICTNESS = (Decision.SEND, Decision.LIMITED_DATA_USE, Decision.WITHHOLD)


def decision(
    consent: Literal["granted", "denied"] | None,
    *,
    gpc: bool,
    policy: GpcPolicy = "limited_data_use",
    silence: SilencePolicy = "send",
) -> Decision:
    """A spoken "denied" always wins; the browser's GPC signal and the operator's word for silence limit what a silent
    visitor gives, the stricter of the two.

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
