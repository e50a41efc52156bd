"""The contact form's mail through Amazon SES."""

import base64
from typing import TYPE_CHECKING

from conversion_relay.aws import AwsCalls, AwsError, AwsUnreachable
from conversion_relay.course_site.shop import logger

if TYPE_CHECKING:
    from email.message import EmailMessage


class SesMail:
    """Amazon SES, to the addresses of the deployment; without them the message is not mailed, and the log says so."""

    def __init__(self, calls: AwsCalls, sender: str, to: str) -> None:
        self._calls, self._sender, self._to = calls, sender, to

    def send(self, message: "EmailMessage") -> None:
        if not (self._sender and self._to):
            logger.warning("A contact form was not mailed: set mail_from and mail_to")
            return
        from email.policy import SMTP
        from email.utils import getaddresses

        message.replace_header("From", self._sender)
        message.replace_header("To", self._to)
        to = [address for _, address in getaddresses([self._to]) if address]
        raw = base64.b64encode(message.as_bytes(policy=SMTP)).decode()
        body = {
            "FromEmailAddress": self._sender,
            "Destination": {"ToAddresses": to},
            "Content": {"Raw": {"Data": raw}},
        }
        try:
            self._calls.post("ses", "/v2/email/outbound-emails", body)
        except (AwsError, AwsUnreachable) as error:
            logger.error("SES did not take a contact form's mail: %s", error, extra={"reason": str(error)})
            raise OSError(str(error)) from None
