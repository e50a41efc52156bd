"""May this event leave? Decided before anything is kept, and again before it is sent.

No field of Meta's API carries a European consent, so a "no" means the event stays here:
https://developers.facebook.com/docs/marketing-api/conversions-api/best-practices
Global Privacy Control is an opt-out of sale and sharing in several US states; Meta's answer to it is Limited Data
Use: https://developers.facebook.com/docs/marketing-apis/data-processing-options
"""

from enum import Enum
from typing import Literal

GpcPolicy = Literal["limited_data_use", "withhold", "ignore"]


class Decision(Enum):
    SEND = "send"
    LIMITED_DATA_USE = "limited_data_use"
    WITHHOLD = "withhold"


def decide(
    consent: Literal["granted", "denied"] | None, *, gpc: bool, policy: GpcPolicy = "limited_data_use"
) -> Decision:
    """A spoken "denied" always wins; the browser's GPC signal limits what a silent visitor gives.

    >>> decide("denied", gpc=False), decide(None, gpc=True), decide(None, gpc=False)
    (<Decision.WITHHOLD: 'withhold'>, <Decision.LIMITED_DATA_USE: 'limited_data_use'>, <Decision.SEND: 'send'>)
    """
    if consent == "denied":
        return Decision.WITHHOLD
    if gpc and policy != "ignore":
        return Decision(policy)
    return Decision.SEND
