"""A text that is a form, or holds one, in whatever way somebody's integration wrote it."""

import json
from urllib.parse import quote

import msgspec
import pytest

from conversion_relay.intake.scrub import may_hold_personal_data, without_personal_data
from conversion_relay.intake.scrub.clean import is_surely_nobodys
from conversion_relay.intake.scrub.named_in_text import kind_named

PERSON = {"plan": "gold", "answers": [{"first_name": "Kanari"}]}


def written(text: str) -> dict[str, str]:
    """In the ways of other people's integrations."""
    return {
        "as JSON": text,
        "as JSON in JSON": json.dumps(text),
        "as JSON in JSON in JSON": json.dumps(json.dumps(text)),
        "behind a name": f"payload={text}",
        "behind a name, escaped": f"data={quote(text)}",
        "in a query": f"https://shop.example/?utm_content=x&d={quote(quote(text))}",
        "its members alone, escaped": json.dumps(text)[1:-1].strip("{}"),
        "its members alone, as in an address": quote('"first_name": "Kanari"'),
        "in a callback": f"callback({text});",
        "cut off": text[: text.index("Kanari") + 3],
        "with a word in front": f"\ufeffbody: {text}",
        "twice": text + "\n" + text,
        "as Python shows it": repr(json.loads(text)),
        "as JavaScript": '{first_name: "Kanari"}',
        "as PHP shows it": '{"first_name" : "Kanari"',
        "as PHP serializes it": 'a:1:{s:10:"first_name";s:6:"Kanari";}',
        "as XML": "<order><FirstName>Kanari</FirstName></order>",
        "as XML of a namespace": "<first_name>Kanari</first_name>",
        "as attributes of XML": '<order first_name="Kanari"/>',
    }


@pytest.mark.parametrize("how", written(json.dumps(PERSON)))
def test_a_form_in_a_text_goes_however_it_is_written(how):
    text = written(json.dumps(PERSON))[how]
    kept, removed = without_personal_data({"custom_data": {"note": text, "plan": "gold"}})
    assert kept == {"custom_data": {"plan": "gold"}}
    assert [one.field for one in removed] == ["custom_data.note"] and "Kanari" not in str(removed)


@pytest.mark.parametrize(
    "text",
    [
        "Phone: see below",
        'The word "phone", and <b>what</b> it means: a course',
        'She said "first name": no more',
        '{"phone": null, "email": "", "first_name": true}',
        "{phone: [] }",
        '{"name": "Watercolour", "price": 5}',
        '{"email_campaign": "spring", "phone_model": "A5"}',
        "<email>",
        "<p>Learn to paint</p>",
        "100 % {sale}",
        "a{b}c:d<e>f",
        "iPhone: 1234567, headphones: 12345678",
        "Phone case EAN: 4006381333931",
        "Order no. 12345678 of 2024",
        "Mobile: 2024-10-01, phone number: 16.02.1997",
        "He has a phone. 12345678 is his ticket",
    ],
)
def test_a_text_that_names_nobody_stays(text):
    assert kind_named(text) is None
    kept, _ = without_personal_data({"custom_data": {"note": text}})
    assert kept == {"custom_data": {"note": text}}


@pytest.mark.parametrize(
    "text",
    [
        "Please ring my Handynummer: 0151 2345678",
        "Téléphone : 06 12 34 56 78",
        "Phone number:(650) 555-1212",
        "Phone no. 650 555 1212",
        "Phone 2: 650 555 1212",
        "tel. 600 700 800 (evenings)",
        "Тел.: 8 912 345-67-89",
        "電話番号：03-1234-5678",
        "เบอร์โทร: 02 123 4567",
        "phone%20number%3A%20030%20123456",
    ],
)
def test_a_number_behind_a_word_for_a_phone_goes_in_any_language(text):
    assert without_personal_data({"custom_data": {"note": text}})[0] == {"custom_data": {}}
    custom = {"content_name": text}
    assert may_hold_personal_data(custom, closely=True)
    assert not is_surely_nobodys(custom, msgspec.json.encode(custom), 0)


@pytest.mark.parametrize("form", ['{"first_name":"Kanari","x":1}', "first_name=Kanari&x=1", "a2FuYXJpQGV4YW1wbGUuY29t"])
def test_a_form_that_a_program_took_for_a_name_goes_and_is_not_told(form):
    kept, removed = without_personal_data({"custom_data": {"note": {form: "1", "plan": "gold"}}})
    assert kept == {"custom_data": {"note": {"plan": "gold"}}}
    assert [one.field for one in removed] == ["custom_data.note...."] and "its name holds" in removed[0].reason


@pytest.mark.parametrize("name", ["ip", "ipv4", "ipv6_address", "visitor_ip", "client.ip", "x_forwarded_for", "realIP"])
def test_an_address_of_the_network_is_a_persons_whatever_it_is_called(name):
    kept, _ = without_personal_data({"custom_data": {name: "8.8.4.4", "context": {name: "2001:4860::8"}}})
    assert kept == {"custom_data": {"context": {}}}


def test_what_is_sold_may_have_a_rating_of_that_name():
    members = {"custom_data": {"contents": [{"id": "lamp", "ip": "IP67"}]}}
    assert without_personal_data(members)[0] == members


@pytest.mark.parametrize("name", ["phone_number_int", "phone_e164", "card_no", "creditCardNo", "Kreditkartennummer"])
def test_a_number_under_a_name_that_says_so_goes(name):
    assert without_personal_data({"custom_data": {name: 491765550199}})[0] == {"custom_data": {}}
