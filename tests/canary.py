"""One person in forty disguises, and where each is put; for tests that nothing of them gets through."""

from typing import Any

EMAILS = [
    "canary.zz@example.org", "CANARY.ZZ@Example.org", "canary.zz%40example.org", "canary.zz%2540example.org",
    "canary.zz＠example.org", "canary.zz&#64;example.org", "canary.zz&#x40;example.org",
    "canary.zz&commat;example.org",
    '"canary zz"@example.org', "canary.zz (at) example (dot) org", "canary.zz[at]example.org",
    "canary.zz\\u0040example.org",
    "canary.zz\u200b@example.org", "mailto:canary.zz@example.org", "canary.zz@exämple-zz.org",
    "canary.zz at example dot org",
    "bounce+canary.zz@example.org", "canary.zz@[192.0.2.77]",
]  # fmt: skip
PHONES = [
    "+16505550199", "+1 (650) 555-0199", "+1-650-555-0199", "+1.650.555.0199", "0016505550199", "001 650 555 0199",
    "＋１６５０５５５０１９９", "%2B16505550199", "&#43;16505550199", "tel:+16505550199", "tel:6505550199",
    "+\u0661\u0666\u0665\u0660\u0665\u0665\u0665\u0660\u0661\u0669\u0669", "+1\u00a0650\u00a0555\u00a00199", "https://wa.me/16505550199",
]  # fmt: skip
MEMBERS: dict[str, Any] = {
    "firstName": "Canariazz", "billing_last_name": "Personszz", "customer[full_name]": "Canariazz Personszz",
    "date-of-birth": "1997-02-17", "db": 19970217, "Straße": "77 Canaryzz Street", "postal code": "ZZ940255",
    "ph": 16505550199, "sha256_email_address": "c0ffeezz" * 8, "user": {"name": "Canariazz", "city": "Canarytownzz"},
}  # fmt: skip
"""Members that are a person's by their names, whatever their values are."""

DISGUISES = [*EMAILS, *PHONES]
TRACES = [
    *DISGUISES, "canary.zz", "canary zz", "CANARY.ZZ", "5550199", "555-0199", "555 0199", "555.0199", "Canariazz",
    "Personszz", "1997-02-17", "19970217", "Canaryzz", "ZZ940255", "c0ffeezz", "Canarytownzz",
]  # fmt: skip


def traces_in(content: bytes) -> list[str]:
    """What of the person is in these bytes, in UTF-8 or as JSON escapes it."""
    forms = {trace: {trace.encode(), trace.encode("ascii", "backslashreplace")} for trace in TRACES}
    return [trace for trace, written in forms.items() if any(form in content for form in written)]


def event(number: int, name: str = "Lead") -> dict[str, Any]:
    """An event with one disguise wherever a text may stand, and with a person's members."""
    text = DISGUISES[number % len(DISGUISES)]
    # 00 under the name of a code is a code: docs/privacy.md says so.
    code = "A-1" if text.startswith("00") else text
    return {
        "event_name": name,
        "event_id": f"lead_{text}_{number}",
        "event_source_url": f"https://shop.example/thanks/{text}?utm_term={text}&email={text}",
        "referrer_url": f"https://shop.example/?utm_content={text}#{text}",
        "messaging_channel": text,
        "customer_segmentation": text,
        "advanced_measurement_table": text,
        "user_data": {
            "email": "canary.zz@example.org",
            "phone": "+1 650 555 0199",
            "first_name": "Canariazz",
            "last_name": "Personszz",
            "date_of_birth": "1997-02-17",
            "client_user_agent": f"Mozilla/5.0 ({text})",
            "anon_id": text,
            "subscription_id": text,
            "ctwa_clid": text,
            "page_id": text,
            "ig_sid": text,
        },
        "custom_data": {
            "content_name": f"Callback for {text}",
            "order_id": code,
            "content_ids": ["a", code],
            "contents": [{"id": code, "quantity": 1}],
            "deep": {"er": [{"x": [text]}]},
            text[:120]: 1,
            "raw": f'{{"first_name": "Canariazz", "x": "{number}"}}',
            "plan": "gold",
            **MEMBERS,
        },
        "original_event_data": {"event_name": text},
        "attribution_data": {"note": text, **MEMBERS},
    }
