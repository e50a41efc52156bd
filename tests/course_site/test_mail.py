"""The contact form's mail: what it says, and how it leaves for the demo's folder and for Amazon SES."""

import base64
import email
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conversion_relay.aws import AwsError, AwsUnreachable
from conversion_relay.course_site.mail import FileMail, contact_message
from conversion_relay.course_site.ses import SesMail
from conversion_relay.course_site.web import SiteError, required_email

LETTER = ("Canaria Personsson", "canary@example.org", "May I bring brushes?\nCanaria", "+44 20 7946 0958")


class Ses:
    """Remembers what was posted; raises `error` where there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.posted = error, []

    def post(self, service, path, body, headers=None):
        self.posted.append((service, path, body))
        if self.error:
            raise self.error
        return {"MessageId": "m1"}


def sent(ses: Ses) -> EmailMessage:
    ((_, _, body),) = ses.posted
    return email.message_from_bytes(base64.b64decode(body["Content"]["Raw"]["Data"]), policy=email.policy.default)


def test_the_message_says_who_wrote_and_where_to_answer():
    message = contact_message(*LETTER)
    assert message["Reply-To"] == "canary@example.org"
    text = message.get_content()
    assert all(part in text for part in ("Canaria Personsson", "brushes?\nCanaria", "+44 20 7946 0958"))


def test_no_mobile_is_a_dash():
    assert "Mobile: -" in contact_message("A", "a@b.example", "x", None).get_content()


ADDRESS = st.text(st.sampled_from("ab@.[]<>:;,()'=?_\\\"-+ \r\n\u2028é%"), max_size=30) | st.emails()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(name=TEXT, address=ADDRESS, text=TEXT, mobile=st.none() | TEXT)
@example(name="A", address="a@[b.example", text="x", mobile=None)
def test_every_address_that_the_form_takes_makes_a_mail_whose_headers_stay_ours(name, address, text, mobile):
    """A line break in a field must not begin a header: it could send the mail to anybody."""
    try:
        taken = required_email("email", address)
    except SiteError:
        return
    message = contact_message(name, taken, text, mobile)
    read = email.message_from_bytes(message.as_bytes(policy=email.policy.SMTP), policy=email.policy.default)
    assert read["To"] == "team@courses.example" and read["Bcc"] is None and read["Cc"] is None


def test_the_demo_keeps_one_file_a_mail_that_no_other_user_reads(tmp_path):
    mail = FileMail(tmp_path / "mail")
    for _ in range(3):
        mail.send(contact_message(*LETTER))
    files = list((tmp_path / "mail").iterdir())
    assert len(files) == 3 and {file.suffix for file in files} == {".eml"}
    assert (tmp_path / "mail").stat().st_mode & 0o077 == 0
    assert email.message_from_bytes(files[0].read_bytes())["Reply-To"] == "canary@example.org"


def test_a_folder_that_cannot_be_made_is_an_oserror(tmp_path):
    (tmp_path / "mail").write_text("")
    with pytest.raises(OSError, match="mail"):
        FileMail(tmp_path / "mail").send(contact_message(*LETTER))


def test_ses_gets_the_deployments_addresses():
    ses = Ses()
    SesMail(ses, "site@courses.example", "team@real.example").send(contact_message(*LETTER))
    service, path, body = ses.posted[0]
    assert (service, path) == ("ses", "/v2/email/outbound-emails")
    assert body["FromEmailAddress"] == "site@courses.example"
    assert body["Destination"] == {"ToAddresses": ["team@real.example"]}
    message = sent(ses)
    assert (message["From"], message["To"], message["Reply-To"]) == (
        "site@courses.example",
        "team@real.example",
        "canary@example.org",
    )


@pytest.mark.parametrize(("sender", "to"), [("", ""), ("site@courses.example", ""), ("", "team@real.example")])
def test_without_an_address_nothing_is_mailed_and_the_log_says_what_to_set(caplog, sender, to):
    ses = Ses()
    SesMail(ses, sender, to).send(contact_message(*LETTER))
    assert ses.posted == [] and "mail_from" in caplog.text and "canary" not in caplog.text


@pytest.mark.parametrize("error", [AwsError("MessageRejected", 400), AwsUnreachable("ses did not answer")])
def test_what_ses_does_not_take_is_an_oserror_that_names_nobody_and_the_log_says_why(caplog, error):
    with pytest.raises(OSError, match=r"MessageRejected|ses") as refused:
        SesMail(Ses(error), "a@b.example", "c@d.example").send(contact_message(*LETTER))
    assert "canary" not in str(refused.value) + caplog.text and str(error) in caplog.text


@pytest.mark.parametrize(
    ("to", "addresses"),
    [
        ("team@a.example, desk@b.example", ["team@a.example", "desk@b.example"]),
        ('"Team, Courses" <team@a.example>', ["team@a.example"]),
    ],
)
def test_a_team_of_several_addresses_gets_the_mail(to, addresses):
    """SES takes one address in each place; a list in one place was refused, and each visitor got a 503."""
    ses = Ses()
    SesMail(ses, "site@courses.example", to).send(contact_message(*LETTER))
    assert ses.posted[0][2]["Destination"] == {"ToAddresses": addresses} and sent(ses)["To"] == to
