"""Names that other programs give to members of an event and of `user_data`, where the meaning is certain.

A name is compared without case and without what is neither letter nor digit, so `phoneNumber`, `phone_number` and
`Phone Number` are one. The sources of the names: GA4's user-provided data, Segment's and RudderStack's traits, Meta's
own SDKs, Shopify's and WooCommerce's customers, schema.org.
https://developers.google.com/analytics/devguides/collection/ga4/uid-data
https://segment.com/docs/connections/spec/identify/#traits

Not here, because nobody can tell what is meant: `name` (which part is the family's?), `id`, `mail`, `address` as text.
"""

from conversion_relay.event import Event, UserData

LONGEST_NAME = 64


def spelling(name: str) -> str:
    """The form in which names are compared; empty for a name that is too long to be one.

    >>> spelling("phoneNumber"), spelling("sha256_email_address"), spelling("x" * 100)
    ('phonenumber', 'sha256emailaddress', '')
    """
    return "".join(c for c in name.lower() if c.isalnum()) if len(name) <= LONGEST_NAME else ""


EVENT_MEMBERS = {spelling(name): name for name in Event.__struct_fields__}
EVENT_MEMBERS |= {"globalprivacycontrol": "gpc", "secgpc": "gpc"}
_SAME_AS = {
    "email": "emails emailaddress emailaddresses useremail customeremail billingemail",
    "phone": "phones phonenumber phonenumbers mobile mobilephone mobilenumber telephone tel cell cellphone userphone"
    " billingphone",
    "first_name": "firstname firstnames givenname fname billingfirstname",
    "last_name": "lastname lastnames familyname surname lname billinglastname",
    "city": "city cities town locality addresslocality billingcity",
    "state": "state states region province stateprovince addressregion statecode regioncode provincecode billingstate",
    "zip": "zip zips zipcode zipcodes postalcode postcode billingpostcode billingzip",
    "country": "country countries countrycode countrycodes addresscountry billingcountry",
    "date_of_birth": "dateofbirth datesofbirth birthday birthdate dob bday",
    "gender": "gender genders sex gen",
    "external_id": "externalid externalids userid customerid",
    "client_ip_address": "clientipaddress ip ipaddress clientip userip",
    "client_user_agent": "clientuseragent useragent",
}
PERSON_MEMBERS = {spelling(name): name for name in UserData.__struct_fields__}
PERSON_MEMBERS |= {word: name for name, words in _SAME_AS.items() for word in words.split()}
# What is hashed is marked so by its name; a value that is no digest is dropped by the key's own rule.
PERSON_MEMBERS |= {
    marked: name
    for word, name in list(PERSON_MEMBERS.items())
    if name in ("email", "phone", "first_name", "last_name", "em", "ph", "fn", "ln")
    for marked in (f"sha256{word}", f"hashed{word}", f"{word}sha256", f"{word}hashed", f"{word}hash")
}
