"""What Meta takes and makes little of: warnings and hints. None of it refuses an event.

A warning is about something that costs matches or money; a hint is about something that is often meant differently.
`conversion-relay validate` shows them. The door does not: it would have to tell them for every event.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from conversion_relay.event import STANDARD_EVENT_NAMES
from conversion_relay.meta.finding import PAGES, Finding
from conversion_relay.meta.validate import is_number


def advise(event: Mapping[str, Any]) -> Iterator[Finding]:
    """`event` is Meta's JSON of one event, hashed."""
    for rule in _RULES:
        yield from rule(event)


def _website(event: Mapping[str, Any]) -> Iterator[Finding]:
    if event.get("action_source") != "website":
        return
    link = f"{PAGES}/parameters/server-event#action-source"
    if "event_source_url" not in event:
        yield Finding(
            "missing_field",
            "event_source_url",
            "warning",
            "website events should say which page they happened on",
            "send the page's URL",
            link,
        )
    if "client_user_agent" not in event["user_data"]:
        yield Finding(
            "missing_field",
            "user_data.client_user_agent",
            "warning",
            "website events should carry the visitor's user agent",
            "pass on the User-Agent header of the visitor's own request",
            link,
        )


def _identity(event: Mapping[str, Any]) -> Iterator[Finding]:
    if not event.get("event_id"):
        yield Finding(
            "missing_field",
            "event_id",
            "hint",
            "without an event_id Meta cannot tell the browser's copy from this one",
            "send the string that the pixel sends as eventID",
            f"{PAGES}/deduplicate-pixel-and-server-events",
        )
    standard = _STANDARD_BY_CASE.get(event["event_name"].lower())
    if standard and standard != event["event_name"]:
        yield Finding(
            "event_name_case",
            "event_name",
            "warning",
            f"names are case-sensitive: this is a custom event, not {standard}",
            f"send {standard}",
            "https://developers.facebook.com/docs/meta-pixel/reference",
        )


def _worth(event: Mapping[str, Any]) -> Iterator[Finding]:
    custom = event.get("custom_data", {})
    link = f"{PAGES}/parameters/custom-data"
    if isinstance(custom.get("value"), str) and is_number(custom["value"]):
        yield Finding("text_amount", "custom_data.value", "hint", "a number sent as text", "send a number", link)
    elif event["event_name"] == "Purchase" and custom.get("value") == 0:
        yield Finding(
            "worth_nothing",
            "custom_data.value",
            "warning",
            "a Purchase of 0 teaches Meta that sales are worth nothing",
            "send what was paid, in the currency's major unit",
            link,
        )
    if event["event_name"] == "Purchase" and not (custom.get("contents") or custom.get("content_ids")):
        yield Finding(
            "missing_field",
            "custom_data.contents",
            "hint",
            "catalogue ads need to know what was bought",
            "send contents, or content_ids with content_type",
            link,
        )
    if custom.get("content_type") not in (None, "product", "product_group"):
        yield Finding(
            "unusual_content_type",
            "custom_data.content_type",
            "hint",
            "for products this is product or product_group",
            "send one of the two, unless your catalogue is of hotels, flights or vehicles",
            link,
        )


def _own_properties(event: Mapping[str, Any]) -> Iterator[Finding]:
    for name in event.get("custom_data", {}):
        if any(c.isspace() for c in name):
            yield Finding(
                "property_name",
                "custom_data",
                "hint",
                "a custom property with a space in its name cannot be used in audiences",
                "use letters, digits and underscores",
                "https://developers.facebook.com/docs/meta-pixel/reference",
            )
            return


def _privacy(event: Mapping[str, Any]) -> Iterator[Finding]:
    link = "https://developers.facebook.com/docs/marketing-api/data-processing-options"
    if event.get("opt_out"):
        yield Finding(
            "opt_out_is_no_consent",
            "opt_out",
            "hint",
            "opt_out keeps the event from the delivery of ads; it is still attributed, so it is not a refused consent",
            'send "consent": "denied" for a visitor who declined; the event is then not kept',
            f"{PAGES}/parameters/server-event#opt-out",
        )
    limited = "LDU" in (event.get("data_processing_options") or ())
    placed = event["user_data"].get("client_ip_address") or event.get("data_processing_options_state")
    if limited and not placed:
        yield Finding(
            "cannot_be_placed",
            "data_processing_options_state",
            "warning",
            "limited data use depends on the state; without an IP address Meta cannot find it",
            "send client_ip_address, or country 1 and the state's code",
            link,
        )


_STANDARD_BY_CASE = {name.lower(): name for name in STANDARD_EVENT_NAMES}
_RULES = (_website, _identity, _worth, _own_properties, _privacy)
