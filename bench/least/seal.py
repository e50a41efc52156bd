"""From the JSON of an event to what Meta would take: decode, bring each match key into form, hash it, encode."""

from hashlib import sha256
from typing import Any

import msgspec

Text = str | list[str]


class Person(msgspec.Struct, omit_defaults=True):
    """The match keys that are hashed, under both of their names; the rest of `user_data` goes through."""

    em: Text | None = None
    ph: Text | None = None
    fn: Text | None = None
    ln: Text | None = None
    ct: Text | None = None
    st: Text | None = None
    zp: Text | None = None
    country: Text | None = None
    db: Text | None = None
    ge: Text | None = None
    external_id: Text | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    date_of_birth: str | None = None
    gender: str | None = None
    client_ip_address: str | None = None
    client_user_agent: str | None = None
    fbc: str | None = None
    fbp: str | None = None


class Event(msgspec.Struct, omit_defaults=True):
    event_name: str
    event_id: str
    event_time: int
    user_data: Person
    action_source: str = "website"
    event_source_url: str | None = None
    referrer_url: str | None = None
    custom_data: dict[str, Any] | None = None
    data_processing_options: list[str] | None = None
    opt_out: bool | None = None


decode, encode = msgspec.json.Decoder(Event).decode, msgspec.json.Encoder().encode
_ASCII = [chr(number) for number in range(128)]
NO_DIGIT = "".join(letter for letter in _ASCII if not letter.isdigit()).encode()
NO_LETTER = "".join(letter for letter in _ASCII if not letter.isalnum()).encode()
"""Deleted from UTF-8, which is safe for ASCII."""


def hashed(given: Text, deleted: bytes) -> Text:
    if type(given) is list:
        return [one if len(one) == 64 else hashed(one, deleted) for one in given]  # type: ignore[misc]
    return sha256(given.strip().lower().encode().translate(None, deleted)).hexdigest()  # type: ignore[union-attr]


def hash_person(who: Person) -> None:
    """In place, under Meta's names."""
    if given := who.email or who.em:
        who.em, who.email = hashed(given, b""), None
    if given := who.phone or who.ph:
        who.ph, who.phone = hashed(given, NO_DIGIT), None
    if given := who.first_name or who.fn:
        who.fn, who.first_name = hashed(given, NO_LETTER), None
    if given := who.last_name or who.ln:
        who.ln, who.last_name = hashed(given, NO_LETTER), None
    if given := who.city or who.ct:
        who.ct, who.city = hashed(given, NO_LETTER), None
    if given := who.state or who.st:
        who.st, who.state = hashed(given, NO_LETTER), None
    if given := who.zip or who.zp:
        who.zp, who.zip = hashed(given, NO_LETTER), None
    if given := who.date_of_birth or who.db:
        who.db, who.date_of_birth = hashed(given, NO_DIGIT), None
    if given := who.gender or who.ge:
        who.ge, who.gender = hashed(given, NO_LETTER), None
    if given := who.country:
        who.country = hashed(given, NO_LETTER)
    if given := who.external_id:
        who.external_id = hashed(given, b"")


def seal(raw: bytes) -> bytes:
    event = decode(raw)
    hash_person(event.user_data)
    return encode(event)


def with_id(raw: bytes) -> tuple[str, bytes]:
    """What a store needs."""
    event = decode(raw)
    hash_person(event.user_data)
    return event.event_id, encode(event)
