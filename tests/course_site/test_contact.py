"""POST /contact: the mail, and the Contact event under an id that names nobody."""

import json
from email import message_from_bytes

import pytest

from tests.course_site.shop import DIGEST, EMAIL, NOW, count, post, stored


def test_contact_sends_the_mail_and_tracks_under_the_digest(site, tmp_path):
    answer = post(site.contact, {"name": "Canaria Personsson", "email": EMAIL, "message": "Brushes?", "mobile": "123"})
    assert answer.body == {"message": "sent", "event_id": f"contact_{DIGEST}_{NOW}"}
    (file,) = (tmp_path / "mail").iterdir()
    mail = message_from_bytes(file.read_bytes())
    assert mail["Reply-To"] == EMAIL and "Brushes?" in mail.get_payload()
    event = stored(site)[f"contact_{DIGEST}_{NOW}"]
    assert event["event_name"] == "Contact" and event["user_data"]["em"] == [DIGEST]


LETTER = {"name": "Canaria Personsson", "email": EMAIL, "message": "Brushes?"}


@pytest.mark.parametrize(
    ("given", "sealed"),
    [
        ("our-own-id-7", "our-own-id-7"),
        (f"contact_{EMAIL}_1692345678", f"contact_{DIGEST}_1692345678"),
        (f"contact_{EMAIL.replace('@', '%40').upper()}_1", f"contact_{DIGEST}_1"),
        ("", f"contact_{DIGEST}_{NOW}"),
        (None, f"contact_{DIGEST}_{NOW}"),
        ("x" * 256, "x" * 256),
    ],
)
def test_the_id_that_is_answered_is_the_id_that_meta_gets(site, given, sealed):
    """An old pixel sends an id of its own; the page hears what became of it and gives its pixel the same."""
    answer = post(site.contact, LETTER | {"event_id": given})
    assert (answer.status, answer.body["event_id"]) == (200, sealed)
    assert list(stored(site)) == [sealed]


def test_who_declined_is_not_tracked_and_an_address_in_the_id_is_not_repeated(site):
    visitor = {"consent": "denied"}
    answer = post(site.contact, LETTER | {"event_id": f"contact_{EMAIL}_1", "visitor": visitor})
    assert (answer.status, answer.body["event_id"]) == (200, f"contact_{DIGEST}_1")
    assert count(site) == 0


def test_no_mail_no_contact(site, tmp_path):
    (tmp_path / "mail").write_text("a file stands where the folder of mails should be")
    answer = post(site.contact, LETTER)
    assert (answer.status, answer.body["error"]) == (503, "mail_not_sent")
    assert count(site) == 0


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"email": EMAIL, "message": "x"}, "name"),
        ({"name": "A", "message": "x"}, "email"),
        ({"name": "A", "email": "not an address", "message": "x"}, "email"),
        ({"name": "A", "email": "a@b.example\r\nBcc: c@d.example", "message": "x"}, "email"),
        ({"name": "A", "email": EMAIL}, "message"),
        ({"name": "A", "email": EMAIL, "message": " "}, "message"),
        ({"name": "A", "email": EMAIL, "message": "x", "colour": "red"}, "colour"),
        ({"name": "A", "email": EMAIL, "message": ["x"]}, "message"),
        ({"name": "A", "email": EMAIL, "message": "x" * 5001}, "message"),
        ({"name": "A", "email": EMAIL, "message": "x", "event_id": 5}, "event_id"),
        ({"name": "A", "email": EMAIL, "message": "x", "event_id": "x" * 257}, "event_id"),
    ],
)
def test_contact_names_what_is_missing_and_sends_no_mail(site, tmp_path, form, field):
    answer = post(site.contact, form)
    assert (answer.status, answer.body["field"]) == (400, field)
    assert "canary" not in json.dumps(answer.body)
    assert count(site) == 0 and not (tmp_path / "mail").exists()
