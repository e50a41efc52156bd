"""What a site's templates make of an event, and how Meta refuses those that have a mistake.

A template is told by `content_category`, which the product does not look at. Some mistakes are seen in the event itself
(a member is missing), as Meta's own rules are about events and not about who made them: what is refused for a missing
member has to miss it, and what is taken has to have it. In how much a refusal tells, they differ:

    broken     a title, and nothing of an event
    unnamed    code 100 without a subcode
    forgets    the member, by `error_data`, and no place
    named      the place of the event, and the member that is missing
    odd key    the place of the event, and where in it something stands that Meta does not know
"""

import json
import random
from collections.abc import Callable
from typing import Any

from conversion_relay.emulator import graph_errors
from conversion_relay.emulator.graph_errors import GraphError
from conversion_relay.http_client import Response
from tests.simulation.plan import MISTAKES

GOOD = ("good", "good", "good", "gift", "sale")
"""Templates without a mistake. Now and then Meta changes a rule, and takes one of them no more."""
NEEDED = "delivery_category"
"""Of custom_data; the templates `forgets` and `named` leave it out."""
TRACE = "Asimulated"

Refusal = tuple[GraphError, Any]
"""And its `error_data`."""


def custom_data(template: str) -> dict[str, Any]:
    data = {"content_category": template, NEEDED: "home_delivery"}
    if template in ("forgets", "named"):
        del data[NEEDED]
    return data


def refused_templates() -> dict[str, str]:
    """As it is while no rule has changed: the template, and which of MISTAKES Meta finds."""
    return {mistake: mistake for mistake in MISTAKES}


def refusal(mistake: str, index: int) -> Refusal:
    """What Meta answers about the event at this place."""
    place = ("custom_data", NEEDED)
    match mistake:
        case "broken":
            return graph_errors.BAD_CONTENTS, None
        case "unnamed":
            return graph_errors.BAD_PROCESSING_OPTIONS, None
        case "forgets":
            return graph_errors.refused(2804019, "Server Side Api Parameter Error", "It is required", None), {
                "blame_field_specs": [list(place)]
            }
        case "named":
            return graph_errors.missing(index, *place), None
        case "odd key":
            return graph_errors.unexpected_key("shade", index, "custom_data"), None
    raise ValueError(mistake)


def response(error: GraphError, date: str, data: Any = None, headers: dict[str, str] | None = None) -> Response:
    body = error.body(TRACE)
    if data is not None:
        body["error"]["error_data"] = data
    return Response(error.status, {"date": date, **(headers or {})}, json.dumps(body).encode())


# -- what our own door refuses -----------------------------------------------------------------------------------------


def spoil(event: dict[str, Any], chance: random.Random) -> None:
    """A mistake that the door must not let in, since Meta would refuse it."""
    chance.choice(_SPOILS)(event)


def _no_currency(event: dict[str, Any]) -> None:
    event["event_name"] = "Purchase"
    event["custom_data"] |= {"value": 5}
    event["custom_data"].pop("currency", None)


def _no_amount(event: dict[str, Any]) -> None:
    event["event_name"] = "Purchase"  # any other event of a page would leave its amount at the door
    event["custom_data"] |= {"value": "1_000", "currency": "EUR"}


_SPOILS: tuple[Callable[[dict[str, Any]], None], ...] = (
    _no_currency,
    lambda event: event.update(event_time="soon"),
    lambda event: event.update(event_time=event["event_time"] - 30 * 86_400),
    lambda event: event.update(event_name="a name of more than fifty characters, which Meta does not take"),
    _no_amount,
)
