"""Meta's names: of members, of channels, of places. What stands in no set here is a name of the sender's own."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LIMITED_PLACES = ((0, 0), *((1, state) for state in range(1000, 1014)))
"""Country and state of limited data use that go together."""
ACTION_SOURCES = _words("email website app phone_call chat physical_store system_generated business_messaging other")
MESSAGING_CHANNELS = frozenset({"messenger", "instagram", "whatsapp"})
MESSAGING_EVENTS = frozenset({"Purchase", "LeadSubmitted", "AddToCart", "InitiateCheckout", "ViewContent"})
DELIVERY_CATEGORIES = (None, "in_store", "curbside", "home_delivery")
HASHED = _words("em ph fn ln db ge ct st zp country dobd dobm doby f5first f5last fi")
# The pages of the parameters, and what facebook-business 26.0.3 sends:
# https://developers.facebook.com/docs/marketing-api/conversions-api/parameters
USER_DATA_NAMES = HASHED | _words(
    "external_id client_ip_address client_user_agent fbc fbp subscription_id fb_login_id lead_id anon_id madid page_id "
    "page_scoped_user_id ctwa_clid ig_account_id ig_sid whatsapp_business_account_id"
)
EVENT_NAMES = _words(
    "event_name event_time event_id event_source_url referrer_url action_source user_data custom_data app_data opt_out "
    "data_processing_options data_processing_options_country data_processing_options_state original_event_data "
    "attribution_data messaging_channel customer_segmentation advanced_measurement_table"
)
CONTENT_NAMES = _words("id quantity item_price title description brand category delivery_category")
