"""What the contact form's mail says, and the demo's way to send it: a folder of .eml files. `ses.py` is AWS's way."""

import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from email.message import EmailMessage


class FileMail:
    """One file a mail; any mail program opens it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: "EmailMessage") -> None:
        from email.policy import SMTP

        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid4().hex[:8]}.eml"
        (self._folder / name).write_bytes(message.as_bytes(policy=SMTP))


def contact_message(name: str, email: str, text: str, mobile: str | None) -> "EmailMessage":
    """What the form says, to the course team. The message class refuses line breaks in headers."""
    from email.message import EmailMessage

    message = EmailMessage()
    message["Subject"] = "Message from the contact form"
    message["From"] = "website@courses.example"
    message["To"] = "team@courses.example"
    message["Reply-To"] = "".join(c for c in email if c.isprintable())
    message.set_content(f"From: {name}\nMobile: {mobile or '-'}\n\n{text}\n")
    return message
