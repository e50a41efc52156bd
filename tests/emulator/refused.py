"""One event for each refusal of Meta's: what is wrong, the subcode, whether Meta was seen to answer so, and the field.

Both sides are held to this table: the stand-in refuses each event as told here, and `validate` finds the field first.
"""

from typing import NamedTuple

NOW = 1_795_651_200
"""2026-11-26."""
HOUR, DAY = 3_600, 86_400
SHA = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"
GOOD = {"event_name": "Lead", "event_time": NOW, "action_source": "website", "user_data": {"em": [SHA]}}
EXTINFO = ["a2", "com.shop", "", "", "14.1", *[""] * 11]
FLAGS = {"advertiser_tracking_enabled": 1, "application_tracking_enabled": 0}
APP = {"action_source": "app", "app_data": FLAGS | {"extinfo": EXTINFO}}
WHATSAPP = {"action_source": "business_messaging", "messaging_channel": "whatsapp", "event_name": "LeadSubmitted"}
LATER_VALUE = {
    "event_name": "AppendValue",
    "custom_data": {"predicted_ltv": 120.5, "currency": "EUR"},
    "original_event_data": {"event_name": "Subscribe", "event_time": NOW - 6 * DAY, "order_id": "o1"},
}
ATTRIBUTION = {
    "event_name": "AppendAttribution",
    "original_event_data": {"event_name": "Purchase", "event_time": NOW - 40 * HOUR, "event_id": "e1"},
    "attribution_data": {"attribution_share": 0.3},
}


class Refused(NamedTuple):
    what: str
    more: dict
    subcode: int | None
    recorded: bool
    path: str


def contents(*items) -> dict:
    return {"custom_data": {"contents": list(items)}}


def person(**more) -> dict:
    return {"user_data": {"em": [SHA]} | more}


def ldu(**numbers) -> dict:
    places = {f"data_processing_options_{name}": number for name, number in numbers.items()}
    return {"data_processing_options": ["LDU"]} | places


def original(event: dict, **more) -> dict:
    return event | {"original_event_data": event["original_event_data"] | more}


def worth(**more) -> dict:
    return {"custom_data": {"currency": "EUR"} | more}


ITEM = {"id": "a1", "quantity": 1}
CONTENTS, OPTIONS, PERSON = "custom_data.contents", "data_processing_options", "user_data"
ORIGINAL_TIME = "original_event_data.event_time"

REFUSED = [
    Refused("a name of GA4 in contents", contents(ITEM | {"item_name": "Mug"}), 2804019, True, f"{CONTENTS}.item_name"),
    Refused("another, in the second item", contents(ITEM, ITEM | {"index": 0}), 2804019, True, f"{CONTENTS}.index"),
    Refused("a name of Shopify", contents(ITEM | {"variant": "red"}), 2804019, True, f"{CONTENTS}.variant"),
    Refused("a name that is a person", contents(ITEM | {"Jané Doe": 1}), 2804019, True, f"{CONTENTS}...."),
    Refused("contents as text", {"custom_data": {"contents": '[{"id": "a1"}]'}}, 2804008, True, CONTENTS),
    Refused("contents as an object", {"custom_data": {"contents": ITEM}}, 2804008, True, CONTENTS),
    Refused("contents of texts", contents("a1"), 2804008, True, CONTENTS),
    Refused("contents without an id", contents(ITEM, {"title": "Mug", "quantity": 1}), 2804008, True, CONTENTS),
    Refused("an unknown name on the event", {"colour": "red"}, 2804019, True, "colour"),
    Refused("an app's flag on the event", APP | FLAGS, 2804019, True, "advertiser_tracking_enabled"),
    Refused("an unknown name in user_data", person(email=[SHA]), 2804019, True, "user_data.email"),
    Refused("an address in clear", person(em="joe@example.com"), 2804016, True, "user_data.em"),
    Refused("one phone of two in clear", person(ph=[SHA, "+16505551212"]), 2804016, True, "user_data.ph"),
    Refused("a birthday as a number", person(db=19970216), 2804016, True, "user_data.db"),
    Refused("a first name of five letters in clear", person(f5first="marym"), 2804016, True, "user_data.f5first"),
    Refused("MD5", person(em="9e107d9d372bb6826bd81d3542a419d6"), 2804016, False, "user_data.em"),
    Refused("no click in fbc", person(fbc="fb.1.1554763741205"), 2804001, True, "user_data.fbc"),
    Refused("an empty click", person(fbc="fb.1.1554763741205."), 2804001, True, "user_data.fbc"),
    Refused("a bare fbclid", person(fbc="IwAR2F4-dbP0"), 2804001, True, "user_data.fbc"),
    Refused("a date in fbc", person(fbc="fb.1.2026-11-26.AbC"), 2804001, True, "user_data.fbc"),
    Refused("fbc as a boolean", person(fbc=False), 2804001, True, "user_data.fbc"),
    Refused("no match key but an empty one", {"user_data": {"em": "", "ge": SHA}}, 2804050, True, "user_data"),
    *(
        Refused(f"{what} as an external id", {"user_data": {"external_id": value}}, 2804050, False, "user_data")
        for what, value in (("a list of nothing", ["", ""]), ("spaces", " "))
    ),
    Refused("a browser in a list", person(fbp=["fb.1.1596403881668.1"]), 2804019, False, f"{PERSON}.fbp"),
    Refused("a browser that is an object", person(fbp={"a": 1}), 2804019, False, "user_data.fbp"),
    Refused("an address of true", person(client_ip_address=True), 2804019, False, f"{PERSON}.client_ip_address"),
    Refused("null among external ids", person(external_id=["a", None]), 2804019, False, f"{PERSON}.external_id"),
    Refused("an empty text among digests", person(ph=[SHA, ""]), 2804016, False, f"{PERSON}.ph"),
    Refused("a click between spaces", person(fbc=" fb.1.1554763741205.A "), 2804001, True, f"{PERSON}.fbc"),
    Refused("fbc as a number", person(fbc=15547637412), 2804001, True, "user_data.fbc"),
    Refused("LDU alone", ldu(), None, True, f"{OPTIONS}_country"),
    Refused("LDU with a country alone", ldu(country=0), None, True, f"{OPTIONS}_country"),
    Refused("LDU in the USA, no state", ldu(country=1), None, True, f"{OPTIONS}_state"),
    Refused("LDU in the USA, state 0", ldu(country=1, state=0), None, True, f"{OPTIONS}_state"),
    Refused("LDU with a state alone", ldu(state=1000), None, True, f"{OPTIONS}_state"),
    Refused("LDU in a state of no country", ldu(country=0, state=1000), None, True, f"{OPTIONS}_state"),
    Refused("LDU in an unknown state", ldu(country=1, state=1014), None, True, f"{OPTIONS}_state"),
    Refused("LDU in an unknown country", ldu(country=2, state=0), None, True, f"{OPTIONS}_country"),
    Refused("LDU with texts", ldu(country="0", state="0"), 2804019, False, f"{OPTIONS}_country"),
    Refused("LDU as text", {"data_processing_options": "LDU"}, 2804019, False, OPTIONS),
    Refused("LDU as an object", {"data_processing_options": {}}, 2804019, False, OPTIONS),
    Refused("an unknown option", {"data_processing_options": ["ldu"]}, 2804019, False, OPTIONS),
    Refused("the future", {"event_time": NOW + DAY}, 2804019, False, "event_time"),
    Refused("eight days ago", {"event_time": NOW - 8 * DAY}, 2804003, True, "event_time"),
    Refused("an unknown channel", WHATSAPP | {"messaging_channel": "sms"}, 2804019, False, "messaging_channel"),
    Refused("a channel in capitals", WHATSAPP | {"messaging_channel": "WhatsApp"}, 2804019, False, "messaging_channel"),
    Refused("a channel beside a website", {"messaging_channel": "mail"}, 2804019, False, "messaging_channel"),
    Refused("no channel", WHATSAPP | {"messaging_channel": ""}, 2804063, True, "messaging_channel"),
    Refused("a worth of 0", worth(predicted_ltv=0), 2804019, False, "custom_data.predicted_ltv"),
    Refused("a worth below 0", worth(predicted_ltv="-1.5"), 2804019, False, "custom_data.predicted_ltv"),
    Refused("a profit that is no number", worth(net_revenue="much"), 2804019, False, "custom_data.net_revenue"),
    Refused("digits in groups", worth(value="1_000"), 2804019, False, "custom_data.value"),
    Refused("spaces around a number", worth(value=" 12.5 "), 2804019, False, "custom_data.value"),
    Refused("an app without app_data", {"action_source": "app"}, 2804019, False, "app_data"),
    Refused(
        "an app without its flag",
        APP | {"app_data": {"extinfo": EXTINFO}},
        None,
        True,
        "app_data.advertiser_tracking_enabled",
    ),
    Refused(
        "a flag of 2",
        APP | {"app_data": FLAGS | {"extinfo": EXTINFO, "advertiser_tracking_enabled": 2}},
        2804019,
        False,
        "app_data.advertiser_tracking_enabled",
    ),
    Refused("a value for no event", LATER_VALUE | {"original_event_data": {}}, 2804019, False, "original_event_data"),
    Refused("a later value of 0", LATER_VALUE | worth(predicted_ltv=0), 2804019, False, "custom_data.predicted_ltv"),
    Refused("a later value of none", LATER_VALUE | worth(), 2804019, False, "custom_data.predicted_ltv"),
    Refused(
        "a later value in no currency",
        LATER_VALUE | {"custom_data": {"predicted_ltv": 1}},
        2804019,
        False,
        "custom_data.currency",
    ),
    Refused("a value too late", original(LATER_VALUE, event_time=NOW - 8 * DAY), 2804019, False, ORIGINAL_TIME),
    Refused("too late", original(ATTRIBUTION, event_time=NOW - 49 * HOUR), 2804019, False, ORIGINAL_TIME),
    Refused("an attribution for no time", original(ATTRIBUTION, event_time=None), 2804019, False, ORIGINAL_TIME),
    Refused("no attribution", ATTRIBUTION | {"attribution_data": {}}, 2804019, False, "attribution_data"),
]  # fmt: skip

TAKEN = {
    "the plain event": {},
    "all names of contents": contents(
        dict.fromkeys(["title", "description", "brand", "category"], "x")
        | ITEM
        | {"item_price": 5.99, "delivery_category": "in_store"}
    ),
    "an item by its number, quantity as text": contents({"id": 7, "quantity": "2"}),
    "names of the sender's own in custom_data": {"custom_data": {"colour": "red", "item_name": "Mug"}},
    "a digest with the Parameter Builder's appendix": person(ph=f"{SHA}.AQICAQMC", fn=[f"{SHA}.AQ"]),
    "a click with the same": person(fbc="fb.1.1554763741205.AbC-d_e.AQICAQMC"),
    "a click whose time is in seconds": person(fbc="fb.1.1554763741.AbC"),
    "an external id in clear": person(external_id="user-42"),
    "external ids, one as a number": person(external_id=[42, "a"]),
    "a business account of WhatsApp": WHATSAPP | {"user_data": {"whatsapp_business_account_id": "1", "ctwa_clid": "A"}},
    "LDU anywhere": ldu(country=0, state=0),
    "LDU in Rhode Island": ldu(country=1, state=1013),
    "no option": {"data_processing_options": []},
    "an app": APP,
    "an app's flag as a boolean, which Events Manager dislikes": APP
    | {"app_data": {"extinfo": EXTINFO, "advertiser_tracking_enabled": True}},
    "a sale at a loss": worth(value=10, net_revenue=-2.5),
    "messenger": WHATSAPP | {"messaging_channel": "messenger"},
    "a later value": LATER_VALUE,
    "a later value of an unknown time": original(LATER_VALUE, event_time=str(NOW)),
    "a later attribution": ATTRIBUTION,
}
