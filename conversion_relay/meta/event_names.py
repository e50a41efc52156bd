"""The standard event that a name of another program means: Meta knows names by every letter, and counts any other name
as a custom event, which no campaign for purchases learns from.

Meta's own tag for Google's server container translates GA4's names alike:
https://github.com/facebookincubator/ConversionsAPI-Tag-for-GoogleTagManager
Segment's and RudderStack's: https://segment.com/docs/connections/spec/ecommerce/v2/, Shopify's pixel events:
https://shopify.dev/docs/api/web-pixels-api/standard-events
"""

from conversion_relay.event import STANDARD_EVENT_NAMES

_ELSEWHERE = {
    "PageView": "page_view page_viewed page",
    "ViewContent": "view_item product_viewed",
    "Search": "view_search_results products_searched search_submitted",
    "AddToCart": "product_added product_added_to_cart",
    "AddToWishlist": "product_added_to_wishlist",
    "InitiateCheckout": "begin_checkout checkout_started initiated_checkout",
    "AddPaymentInfo": "payment_info_entered payment_info_submitted",
    "Purchase": "order_completed checkout_completed ecommerce_purchase",
    "CompleteRegistration": "sign_up signed_up",
    "Lead": "generate_lead",
}


def standard_name(name: str) -> str | None:
    """The standard event that is meant, if this is not its name.

    >>> standard_name("add_to_cart"), standard_name("Order Completed"), standard_name("Purchase"), standard_name("Quiz")
    ('AddToCart', 'Purchase', None, None)
    """
    meant = _MEANT.get(_spelled(name)) if len(name) <= 50 else None
    return None if meant == name else meant


def _spelled(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


_MEANT = {_spelled(name): name for name in STANDARD_EVENT_NAMES} | {
    _spelled(name): standard for standard, names in _ELSEWHERE.items() for name in names.split()
}
