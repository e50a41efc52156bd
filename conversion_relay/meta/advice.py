"""What Meta takes and makes little of: warnings and hints. None of it refuses an event.

A warning is about something that costs matches or money; a hint is about something that is often meant differently.
`conversion-relay validate` shows them. The door does not: it would have to tell them for every event.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from conversion_relay.event import DeliveryCategory
from conversion_relay.meta.click_advice import on_click
from conversion_relay.meta.event_names import standard_name
from conversion_relay.meta.finding import PAGES, Finding
from conversion_relay.meta.validate import is_number


def advise(event: Mapping[str, Any], now: float | None = None) -> Iterator[Finding]:
    """`event` is Meta's JSON of one event, hashed; `now` in Unix seconds, None where its age does not matter."""
    for rule in _RULES:
        yield from rule(event)
    if now is not None:
        yield from _freshness(event, now)


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
    if standard := standard_name(event["event_name"]):
        yield Finding(
            "event_name_case",
            "event_name",
            "warning",
            f"Meta knows names by every letter: this is a custom event, not {standard}",
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
    if "LDU" in (event.get("data_processing_options") or ()):
        yield from _place(event, link)
    elif event.get("data_processing_options_country") or event.get("data_processing_options_state"):
        yield Finding(
            "place_without_option",
            "data_processing_options",
            "warning",
            "country and state say nothing without an option: the event is used in full",
            'send data_processing_options: ["LDU"] with them, or leave them out',
            link,
        )


def _place(event: Mapping[str, Any], link: str) -> Iterator[Finding]:
    if not (event["user_data"].get("client_ip_address") or event.get("data_processing_options_state")):
        yield Finding(
            "cannot_be_placed",
            "data_processing_options_state",
            "warning",
            "limited data use depends on the state; without an IP address Meta cannot find it",
            "send client_ip_address, or country 1 and the state's code",
            link,
        )


def _contents(event: Mapping[str, Any]) -> Iterator[Finding]:
    custom = event.get("custom_data", {})
    items = custom.get("contents")
    items = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    link = f"{PAGES}/parameters/custom-data#contents"
    if any("quantity" not in item for item in items):
        yield Finding(
            "missing_field",
            "custom_data.contents.quantity",
            "warning",
            "each of the contents says how many of it",
            "send quantity, 1 for a single one",
            link,
        )
    for path, one in (("custom_data", custom), *(("custom_data.contents", item) for item in items)):
        category = one.get("delivery_category")
        if category is not None and category not in get_args(DeliveryCategory):
            yield Finding(
                "unknown_delivery_category",
                f"{path}.delivery_category",
                "warning",
                "Meta knows three ways of delivery",
                "send in_store, curbside or home_delivery, or leave it out",
                link,
            )
            return


def _known_names(event: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether Meta refuses these names was never seen; it makes nothing of them."""
    for member, known in _MEMBERS.items():
        given = event.get(member)
        if isinstance(given, dict) and not given.keys() <= known:
            yield Finding(
                "unknown_field",
                member,
                "warning",
                "it holds a name that Meta's page does not list",
                f"send only {', '.join(sorted(known))}",
                f"{PAGES}/parameters",
            )


def _app(event: Mapping[str, Any]) -> Iterator[Finding]:
    app_data = event.get("app_data")
    for name in ("advertiser_tracking_enabled", "application_tracking_enabled"):
        if isinstance(app_data, dict) and isinstance(app_data.get(name), bool):
            # https://github.com/RevenueCat/purchases-flutter/issues/1530
            yield Finding(
                "not_a_flag",
                f"app_data.{name}",
                "warning",
                "Events Manager calls true and false out of range, and the event is of no use to ads",
                "send 1 or 0",
                f"{PAGES}/app-events",
            )


def _profit(event: Mapping[str, Any]) -> Iterator[Finding]:
    """To optimise for profit Meta asks of a dataset: three different positive net revenues, and no fixed share."""
    custom = event.get("custom_data", {})
    profit = custom.get("net_revenue")
    if not is_number(profit):
        return
    link = f"{PAGES}/parameters/custom-data"
    if not custom.get("currency"):
        message, fix = "a net revenue is in the currency of value", "send custom_data.currency"
        yield Finding("missing_field", "custom_data.currency", "warning", message, fix, link)
    if is_number(custom.get("value")) and float(profit) == float(custom["value"]) != 0:
        yield Finding(
            "profit_is_value",
            "custom_data.net_revenue",
            "hint",
            "a net revenue that is a fixed share of value teaches Meta nothing",
            "send what the sale left after its costs, or leave net_revenue out",
            link,
        )


def _freshness(event: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """Within an hour is best, over two hours costs much, a day nearly all; the money is still counted.

    https://developers.facebook.com/docs/marketing-api/conversions-api/guides/end-to-end-implementation
    """
    hours = (now - event["event_time"]) / 3_600
    if hours < 1 or event.get("action_source") == "physical_store":
        return
    yield Finding(
        "late",
        "event_time",
        "hint" if hours < 2 else "warning",
        f"the event is more than {'a day' if hours >= 24 else 'two hours' if hours >= 2 else 'an hour'} old: Meta"
        " counts it, and makes less of it for the delivery of ads",
        "send events as they happen, within an hour",
        f"{PAGES}/guides/end-to-end-implementation",
    )


_MEMBERS = {
    "app_data": frozenset(
        {
            "advertiser_tracking_enabled",
            "application_tracking_enabled",
            "campaign_ids",
            "consider_views",
            "extinfo",
            "include_dwell_data",
            "include_video_data",
            "install_referrer",
            "installer_package",
            "receipt_data",
            "url_schemes",
            "windows_attribution_id",
        }
    ),
    "original_event_data": frozenset({"event_name", "event_time", "order_id", "event_id"}),
    "attribution_data": frozenset(
        {
            "ad_id",
            "adset_id",
            "attr_window",
            "attribution_method",
            "attribution_model",
            "attribution_setting",
            "attribution_share",
            "attribution_source",
            "attribution_value",
            "auditing_token",
            "campaign_id",
            "decline_reason",
            "linkage_key",
            "partner_client_id",
            "scope",
            "total_credit",
            "touchpoint_id",
            "touchpoint_ts",
            "touchpoint_type",
            "visit_time",
        }
    ),
}
"""What Meta's pages and its package facebook-business 26.0.3 list."""
_RULES = (_website, _identity, _worth, _contents, _profit, _own_properties, _known_names, _app, _privacy, on_click)
