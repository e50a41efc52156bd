"""A person in base64, in a token and in pairs is taken out of properties of one's own; ids stay."""

import base64
import json
import secrets
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.intake.scrub import may_hold_personal_data, without_personal_data
from conversion_relay.intake.scrub.encoded_text import decoded_texts, looks_encoded

SAID = ["joe@example.com", "joe.doe+x@shop.co.uk", "call +1 (650) 555-1212", '{"first_name":"Joe","plan":"gold"}']


def kept(custom):
    """As the door does it: the walk is for what the quick look does not take."""
    members = {"custom_data": custom}
    without_personal_data({"custom_data": dict.fromkeys(custom, "x")})  # the names are known
    return without_personal_data(members)[0].get("custom_data", {}) if may_hold_personal_data(members) else custom


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padding", ["=", ""])
def test_what_base64_says_is_read(said, encode, padding):
    text = encode(said.encode()).decode().replace("=", padding)
    assert kept({"blob": text, "plan": "gold"}) == {"plan": "gold"}
    assert kept({"form": {"blob": f" {text}\n"}}) == {"form": {}}


def test_what_a_json_web_token_says_is_read():
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in (
            {"alg": "HS256", "typ": "JWT"},
            {"sub": "1", "email": "joe@example.com"},
        )
    )
    assert kept({"session_claims": f"{head}.{body}.c2lnbmF0dXJl"}) == {}


@given(st.binary(min_size=0, max_size=60))
def test_whatever_is_read_raises_nothing_and_ids_are_seldom_taken_for_texts(data):
    decoded_texts(base64.b64encode(data).decode())
    decoded_texts(data.decode("latin-1"))


def test_ids_and_words_stay():
    ids = [str(uuid.uuid4()), secrets.token_hex(32), secrets.token_urlsafe(24), "SKU-2024-Red-XL", "IwAR0abcDEF123"]
    custom = {f"ref_{n}": text for n, text in enumerate([*ids, "Introduction_to_Pottery", "YWJjZGVmZ2hpamtsbW5vcA=="])}
    assert kept(custom) == custom
    assert not looks_encoded("a" * 10_000)


@pytest.mark.parametrize("pair", [["first_name", "Joe"], ["email", 5], ["Vorname", ["Joe"]], ["zip", "94035"]])
def test_a_member_as_a_pair_is_a_persons_as_well(pair):
    assert kept({"fields": [pair, ["plan", "gold"], ["size", 5]]}) == {"fields": [["plan", "gold"], ["size", 5]]}
