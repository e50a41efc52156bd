# ruff: noqa: E501
"""2,000 objects as sites send them as `custom_data`, with and without a person, from a fixed seed.

The names are typed from what these pages document, not from the scrubber's own tables, which this file does not import:
GA4's user-provided data and items, Segment's Identify traits and Order events, Shopify's order and customer, WooCommerce's
order, HubSpot's and Klaviyo's contact properties, Contact Form 7, WPForms and Gravity Forms, Meta's customer information.
"""

import random
import string
import uuid
from typing import Any, NamedTuple

SEED = 20_261_126
SIZE = 2_000


class Case(NamedTuple):
    """`personal`: paths that must go. `business`: paths that must stay, each with its kind."""

    document: dict[str, Any]
    personal: dict[tuple[str, ...], str]
    business: dict[tuple[str, ...], str]


FIRST = [
    "Maryann",
    "Jürgen",
    "Zoë",
    "Siobhán",
    "Łukasz",
    "Søren",
    "François",
    "İbrahim",
    "Анна",
    "Ольга",
    "太郎",
    "美咲",
    "伟",
    "민수",
    "محمد",
    "דוד",
    "Ελένη",
]
LAST = [
    "Smithson",
    "Müller-Lüdenscheidt",
    "O'Brien",
    "Nowakowska",
    "Fernández",
    "García",
    "Βασιλείου",
    "Иванова",
    "山田",
    "王",
    "김",
    "الأحمد",
    "כהן",
]
CITIES = ["Menlo Park", "Köln", "São Paulo", "Łódź", "Москва", "東京", "北京", "Αθήνα", "القاهرة"]
STREETS = ["1 Hacker Way", "Hauptstraße 5", "Rua Augusta 100", "ul. Długa 7", "12 rue de la Paix"]
PHONES = {
    "1": ["650555####", "212555####"], "44": ["20794#####", "77009#####"], "49": ["3012####", "151########"],
    "33": ["6########", "1########"], "34": ["6########"], "39": ["3########", "06#######"], "48": ["60#######"],
    "55": ["119########"], "52": ["55########"], "91": ["98########"], "86": ["138########"], "81": ["90########"],
    "82": ["10########"], "61": ["4########"], "31": ["6########"], "32": ["47#######"], "41": ["79#######"],
    "43": ["664#######"], "46": ["70#######"], "47": ["4#######"], "45": ["2#######"], "358": ["40#######"],
    "351": ["91#######"], "353": ["85#######"], "380": ["50#######"], "7": ["916#######"], "90": ["532#######"],
    "971": ["50#######"], "972": ["54#######"], "20": ["100#######"], "27": ["82#######"], "234": ["803#######"],
    "62": ["812########"], "63": ["917#######"], "84": ["90#######"], "66": ["81#######"], "420": ["601######"],
    "36": ["20#######"], "40": ["72#######"], "30": ["69########"], "886": ["912######"], "852": ["9#######"],
}  # fmt: skip

GA4 = {
    "email": "email", "sha256_email_address": "digest", "phone_number": "phone", "sha256_phone_number": "digest",
    "address.first_name": "name", "address.sha256_last_name": "digest", "address.street": "text",
    "address.city": "city", "address.postal_code": "zip", "user_data.email_address": "email",
    "user_data.phone_number": "phone", "user_data.address": "text",
}  # fmt: skip
SEGMENT = {
    "email": "email", "phone": "phone", "firstName": "name", "lastName": "name", "birthday": "date", "gender": "text",
    "username": "text", "traits.email": "email", "traits.phone": "phone", "traits.name": "name",
    "traits.address.city": "city", "traits.address.postalCode": "zip", "traits.address.street": "text",
    "context.traits.lastName": "name",
}  # fmt: skip
SHOPIFY = {
    "contact_email": "email", "customer.first_name": "name", "customer.last_name": "name", "customer.email": "email",
    "customer.phone": "phone", "billing_address.first_name": "name", "billing_address.address1": "text",
    "billing_address.zip": "zip", "billing_address.phone": "phone", "shipping_address.name": "name",
    "shipping_address.city": "city", "shippingAddress.lastName": "name", "checkout.email": "email",
    "checkout.phone": "phone",
}  # fmt: skip
WOO = {
    "billing_first_name": "name", "billing_last_name": "name", "billing_email": "email", "billing_phone": "phone",
    "billing_address_1": "text", "billing_address_2": "text", "billing_city": "city", "billing_postcode": "zip",
    "billing_state": "text", "shipping_first_name": "name", "shipping_last_name": "name", "shipping_phone": "phone",
    "shipping_postcode": "zip", "shipping_address_1": "text", "customer_email": "email", "customer[email]": "email",
    "_billing_phone": "phone", "customerBillingEmail": "email", "customerBillingPhone": "phone",
    "customerBillingFirstName": "name", "customerBillingLastName": "name",
}  # fmt: skip
META = {
    "em": "digest", "ph": "digest", "fn": "digest", "ln": "name", "zp": "zip", "ct": "city", "st": "text",
    "db": "digits", "ge": "text", "user_data.em": "email", "user_data.ph": "phone", "em[0]": "digest",
}  # fmt: skip
CRM = {
    "firstname": "name", "lastname": "name", "mobilephone": "phone", "date_of_birth": "date", "$email": "email",
    "$phone_number": "phone", "$first_name": "name", "$last_name": "name", "FNAME": "name", "LNAME": "name",
    "PHONE": "phone", "hs_email": "email", "EmailAddress": "email", "MobilePhone": "phone", "HomePhone": "phone",
    "Birthdate": "date", "FirstName": "name", "LastName": "name", "PersonEmail": "email", "MailingPostalCode": "zip",
    "MailingStreet": "text", "lead_email": "email", "lead.phone": "phone", "contact.full_name": "name",
}  # fmt: skip
FORMS = {
    "your-name": "name", "your-email": "email", "your-phone": "phone", "your-tel": "phone", "First Name": "name",
    "Last Name": "name", "E-Mail": "email", "E-Mail Address": "email", "Phone Number": "phone", "Full Name": "name",
    "Date of Birth": "date", "wpforms[fields][email]": "email", "form_fields[phone]": "phone", "input_email": "email",
    "field-first-name": "name", "Postal Code": "zip", "user-phone": "phone", "email_1": "email", "mobile": "phone",
    "mobileNumber": "phone", "tel": "phone", "emailAddress": "email", "fullName": "name", "dob": "date",
}  # fmt: skip
LANGUAGES = {
    "vorname": "name", "Nachname": "name", "telefonnummer": "phone", "Handynummer": "phone", "geburtsdatum": "date",
    "plz": "zip", "Postleitzahl": "zip", "straße": "text", "E-Mail-Adresse": "email", "prenom": "name",
    "Prénom": "name", "nom_de_famille": "name", "téléphone": "phone", "code_postal": "zip", "adresse_email": "email",
    "date_de_naissance": "date", "courriel": "email", "apellidos": "name", "telefono": "phone", "teléfono": "phone",
    "correo_electronico": "email", "fecha_nacimiento": "date", "codigo_postal": "zip", "sobrenome": "name",
    "telefone": "phone", "data_nascimento": "date", "cognome": "name", "cellulare": "phone", "data_di_nascita": "date",
    "voornaam": "name", "achternaam": "name", "telefoonnummer": "phone", "geboortedatum": "date", "imie": "name",
    "imię": "name", "nazwisko": "name", "numer_telefonu": "phone", "kod_pocztowy": "zip", "data_urodzenia": "date",
    "fornavn": "name", "etternavn": "name", "efternamn": "name", "postnummer": "zip", "etunimi": "name",
    "sukunimi": "name", "puhelinnumero": "phone", "jmeno": "name", "příjmení": "name", "telefonszam": "phone",
    "soyad": "name", "имя": "name", "фамилия": "name", "телефон": "phone", "電話番号": "phone", "氏名": "name",
    "メールアドレス": "email", "手机号": "phone", "邮箱": "email", "전화번호": "phone", "이메일": "email",
}  # fmt: skip
PERSONAL = (GA4, SEGMENT, SHOPIFY, WOO, META, CRM, FORMS, LANGUAGES)

BUSINESS: dict[str, str] = {
    "value": "price", "currency": "currency", "content_name": "title", "content_category": "title", "num_items": "count",
    "content_ids": "skus", "content_type": "word", "order_id": "order", "search_string": "title", "status": "word",
    "predicted_ltv": "price", "delivery_category": "word", "transaction_id": "order", "affiliation": "word",
    "coupon": "sku", "shipping": "price", "tax": "price", "item_list_name": "title", "item_list_id": "sku",
    "item_category": "word", "item_brand": "word", "item_variant": "word", "promotion_name": "title", "index": "count",
    "product_id": "sku", "sku": "sku", "ean": "ean", "gtin": "gtin", "isbn": "isbn", "upc": "gtin", "barcode": "ean",
    "product_name": "title", "brand": "word", "variant": "word", "price": "price", "quantity": "count",
    "course_name": "title", "course_id": "sku", "course_date": "date", "starts_at": "moment", "ends_at": "moment",
    "event_name": "word", "session_id": "uuid", "cart_id": "uuid", "checkout_id": "uuid", "request_id": "uuid",
    "order_number": "order", "order.id": "order", "order.total_price": "price", "order.created_at": "moment",
    "customer_id": "count", "customer_type": "word", "customer_lifetime_value": "price", "is_new_customer": "flag",
    "plan": "word", "plan_name": "word", "tier": "word", "subscription_id": "sku", "billing_cycle": "word",
    "email_campaign": "title", "email_template": "sku", "phone_model": "title", "first_purchase": "flag",
    "first_order_date": "date", "city_tour": "title", "last_name_of_course": "title", "payment_type": "word",
    "shipping_method": "word", "shipping_tier": "word", "country": "word", "language": "word", "version": "version",
    "app_version": "version", "page_title": "title", "page_type": "word", "category_name": "title", "store_name": "title",
    "store_id": "sku", "store_city": "city", "rating": "rating", "coordinates": "place", "duration": "duration",
    "company_name": "title", "has_email": "flag", "phone_verified": "flag", "newsletter": "flag", "utm_content": "title",
    "contents.0.id": "sku", "contents.0.quantity": "count", "contents.0.item_price": "price", "contents.0.title": "title",
    "items.0.item_id": "ean", "items.0.item_name": "title", "items.0.name": "title", "products.0.name": "title",
    "products.0.sku": "sku", "line_items.0.title": "title", "line_items.0.sku": "sku", "line_items.0.price": "price",
    "course.name": "title", "course.city": "city", "venue.address": "title", "invoice_number": "order", "score": "rating",
    "tracking_number": "order", "gift_card_code": "sku", "weight": "price", "timestamp": "stamp", "lead_type": "word",
    "referral_code": "sku", "form_name": "title", "form_id": "count", "listing_id": "sku", "vehicle_model": "title",
}  # fmt: skip
TITLES = [
    "Watercolour for beginners", "C++ in 21 days", "Töpfern (2 Tage)", "+1 free month", "A+ grade, 10/10",
    "Summer sale -50% & more", "R&B night @ the dock", "2 for 1 @ 9.99", "Week 40: 10:00 - 12:00", "iPhone 15 Pro 256GB",
    "Course 2026-12-01 to 2026-12-05", "水彩画入門", "Курс рисования", "Top 100+ songs of 2024", "Room 00-12, floor 3",
    "5 × 20 cm", "Size 38/40", "50% + 10% off", "Mug [blue] {new}", "react@18.2.0", "logo@2x.png", "GTIN 00012345678905",
]  # fmt: skip


def corpus() -> list[Case]:
    dice = random.Random(SEED)
    return [_case(dice, number % 2 == 0) for number in range(SIZE)]


def _case(dice: random.Random, with_a_person: bool) -> Case:
    case = Case({}, {}, {})
    for path in dice.sample(sorted(BUSINESS), dice.randint(2, 9)):
        kind = BUSINESS[path]
        _put(case.document, case.business, path.split("."), _business(dice, kind), kind)
    if with_a_person:
        platform = dice.choice(PERSONAL)
        for path in dice.sample(sorted(platform), min(len(platform), dice.randint(1, 5))):
            steps = path.split(".") if not path.startswith(("$", "_")) else [path]
            _put(case.document, case.personal, steps, _personal(dice, platform[path]), "name of a member")
        for kind in ("phone", "email"):
            if dice.random() < 0.4:
                text = dice.choice(["{}", "Call back {} today", "from {}", "ref:{}", "note_{}_1", "<{}>"])
                hidden = phone(dice) if kind == "phone" else email(dice)
                name = dice.choice(["note", "message", "comment", "label", "custom_1", "utm_term"]) + f"_{kind[0]}"
                _put(case.document, case.personal, [name], text.format(hidden), f"{kind} in a text")
    return case


def _put(document: dict[str, Any], told: dict[tuple[str, ...], str], path: list[str], value: Any, kind: str) -> None:
    at: Any = document
    for step, following in zip(path, [*path[1:], ""], strict=True):
        last = following == ""
        if isinstance(at, list):
            if not at:
                at.append({})
            at = at[0]
            continue
        if not isinstance(at, dict) or (step in at and (last or not isinstance(at[step], dict | list))):
            return  # another platform's member is there
        if last:
            at[step] = value
        else:
            at = at.setdefault(step, [] if following == "0" else {})
    told[tuple(path)] = kind


def phone(dice: random.Random) -> str:
    """A number in international form, as one of many people writes it."""
    code = dice.choice(sorted(PHONES))
    national = "".join(dice.choice("123456789") if c == "#" else c for c in dice.choice(PHONES[code]))
    sign = dice.choice([" ", " ", "-", ".", ""])
    size = dice.randint(2, 4)
    groups = [national[i : i + size] for i in range(0, len(national), size)]
    if len(groups) > 1 and len(groups[-1]) < 2:
        groups[-2:] = [groups[-2] + groups[-1]]
    body = sign.join(groups)
    prefix = dice.choice(["+", "+", "+", "00", "＋", "%2B", "tel:+"])
    zero = dice.choice(["", "", "", "(0)"]) if code in ("44", "49", "43", "41", "31") else ""
    number = f"{prefix}{code}{' ' if sign or zero else ''}{zero}{body}"
    return number.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")) if dice.random() < 0.05 else number


def email(dice: random.Random) -> str:
    local = dice.choice(["joe.doe", "maryann+shop", "j_smith99", "jürgen", "o'neil", "用户", '"joe doe"', "a-b"])
    domain = dice.choice(["example.com", "mail.example.co.uk", "bücher.example", "xn--bcher-kva.example", "例子.中国"])
    at = dice.choice(["@", "@", "@", "%40", "%2540", "＠", "&#64;", "&commat;", " (at) ", "[at]", "\\u0040", "\u200b@"])
    return local + at + domain


def _personal(dice: random.Random, kind: str) -> Any:
    makers = {
        "name": lambda: f"{dice.choice(FIRST)} {dice.choice(LAST)}",
        "email": lambda: dice.choice([email(dice), f"{dice.getrandbits(256):064x}"]),
        "phone": lambda: dice.choice(
            [phone(dice), "".join(dice.choices(string.digits, k=10)), dice.randint(10**9, 10**11)]
        ),
        "digest": lambda: f"{dice.getrandbits(256):064x}",
        "date": lambda: f"{dice.randint(1940, 2008)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
        "digits": lambda: dice.randint(19400101, 20081231),
        "zip": lambda: dice.choice(["94025", "SW1A 1AA", "50667", "01310-100", 75002]),
        "city": lambda: dice.choice(CITIES),
        "text": lambda: dice.choice([*STREETS, "f", "CA"]),
    }
    return makers[kind]()


def _business(dice: random.Random, kind: str) -> Any:
    digits = string.digits
    moment = f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
    clock = f"{dice.randint(0, 23):02}:{dice.choice(['00', '15', '30'])}:00"
    makers = {
        "price": lambda: dice.choice([dice.randint(0, 10**6) / 100, f"{dice.randint(0, 9999)}.00", f"1,{dice.randint(100, 999)}.00"]),
        "currency": lambda: dice.choice(["EUR", "USD", "JPY"]),
        "count": lambda: dice.choice([dice.randint(0, 99), dice.randint(10**6, 10**15)]),
        "title": lambda: dice.choice(TITLES),
        "word": lambda: dice.choice(["gold", "paid", "home_delivery", "credit card", "DE", "Visa", "new", "größe"]),
        "city": lambda: dice.choice(CITIES),
        "flag": lambda: dice.choice([True, False]),
        "sku": lambda: dice.choice(["SKU-0049-1234-5678", "A1002", "00123456", "MUG+BLUE", "W-00-491234", "0012345678901", "SAVE10"]),
        "skus": lambda: ["".join(dice.choices(digits, k=13)), "SKU-1", dice.randint(1, 10**9)],
        "order": lambda: dice.choice([f"#{dice.randint(1000, 99999)}", f"ORD-2026-{dice.randint(0, 999999):06}", dice.randint(1, 10**12), f"00{dice.randint(10**9, 10**10)}"]),
        "ean": lambda: _with_check_digit("".join(dice.choices(digits, k=12))),
        "gtin": lambda: _with_check_digit("00" + "".join(dice.choices(digits, k=dice.choice([10, 11])))),
        "isbn": lambda: dice.choice(["978-3-16-148410-0", "3-16-148410-X", "9783161484100"]),
        "uuid": lambda: str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "date": lambda: moment,
        "moment": lambda: f"{moment}T{clock}{dice.choice(['Z', '+02:00', '-0500', '.000+01:00'])}",
        "stamp": lambda: dice.choice([1_795_435_200, 1_795_435_200_123, "1795435200"]),
        "version": lambda: dice.choice(["1.2.3", "2.0.0+20130313144700", "v10.0.0-rc.1+build.5"]),
        "rating": lambda: dice.choice(["4.5/5", 4.8, "10+"]),
        "place": lambda: dice.choice(["+48.8584+2.2945", "48.8584,2.2945", "-33.8688,+151.2093"]),
        "duration": lambda: dice.choice(["PT1H30M", "00:45:00", "2 x 45 min"]),
    }  # fmt: skip
    return makers[kind]()


def _with_check_digit(number: str) -> str:
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number)))
    return number + str(-total % 10)
