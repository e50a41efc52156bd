"""How one setting's text is read. Each function raises SettingsError with the setting's name, never with its value."""

import re
from functools import cache
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from conversion_relay.errors import SettingsError
from conversion_relay.event import STANDARD_EVENT_NAMES
from conversion_relay.telemetry import logger


def as_meant(name: str, text: str) -> str:
    """Without the blanks and line ends that a file of variables left at the ends.

    `docker --env-file` and many a dashboard keep the quotes of `NAME="value"`, and a file with Windows line ends leaves
    a CR behind each value. A secret with them is another secret: every notice of the payment provider is refused, and
    nothing here looks wrong. Quotes are refused instead of taken away: who wrote them shall know what holds elsewhere.

    >>> as_meant("STRIPE_WEBHOOK_SECRET", "whsec_1\\r")
    'whsec_1'
    """
    is_password = name == "RELAY_ADMIN_PASSWORD"
    # CPython reads such a byte as half a pair (PEP 383), which no header and no signature can be made of.
    if name not in _NAMES_A_FILE and re.search(_HALF_PAIR, text):
        raise SettingsError(f"{name}: it holds a byte that is not UTF-8; save the file that sets it in UTF-8")
    if "\0" in text:
        raise SettingsError(f"{name}: it holds a zero byte; write the value without it")
    text = text.strip("\r\n") if is_password else text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise SettingsError(f"{name}: the value stands in quotes, which belong to it here; write it without them")
    if re.fullmatch(_PLACEHOLDER, text) if is_password else re.search(_PLACEHOLDER, text):
        raise SettingsError(
            f"{name}: it holds a placeholder such as ${{NAME}}, which nothing replaced; write the value"
        )
    if text[:1] == "[" and text[-1:] == "]" and not is_password:
        raise SettingsError(f"{name}: the value stands in brackets; write a list with commas alone, such as a,b")
    return text


_NAMES_A_FILE = frozenset({"RELAY_CONFIG", "META_ACCESS_TOKEN_FILE"})
"""The names on a disk are bytes. (SQLite's are UTF-8.)"""
_HALF_PAIR = r"[\ud800-\udfff]"
_PLACEHOLDER = r"\$\{\w+\}|\{\{ ?[\w.]+ ?\}\}|\$\([A-Z_][A-Z0-9_]*\)"
"""What systemd, TOML and Kubernetes leave as it stands. As a key or password it would be one that anybody can guess."""


def event_names(name: str, text: str) -> frozenset[str]:
    """Warns of `purchase`: to Meta it is an event of one's own, and so it is to us."""
    names = frozenset(listed(text))
    for found in names - STANDARD_EVENT_NAMES:
        plain = re.sub(r"[\s_-]", "", found).lower()
        if meant := next((standard for standard in STANDARD_EVENT_NAMES if standard.lower() == plain), None):
            _warn(name, meant)
    return names


@cache
def _warn(name: str, meant: str) -> None:
    """Once in a process, however often settings are read."""
    logger.warning(f"{name} lists {meant} in another spelling, which is another event; Meta's name is written {meant}")


def listed(text: str) -> list[str]:
    """
    >>> listed("a, b,,c ")
    ['a', 'b', 'c']
    """
    return [part.strip() for part in text.split(",") if part.strip()]


def matching(name: str, text: str, pattern: str, example: str) -> str:
    """The text, if all of it fits; `example` is for the message."""
    if not re.fullmatch(pattern, text, re.ASCII):
        raise SettingsError(f"{name}: expected {example}")
    return text


def amount(name: str, text: str) -> float | None:
    return float(matching(name, text, r"\d{1,12}(\.\d{1,4})?", "an amount such as 500")) if text else None


def count(name: str, text: str) -> int | None:
    """A limit; None where there is none."""
    return int(matching(name, text, r"[1-9]\d{0,11}", "a whole number from 1 on")) if text else None


def one_of(name: str, text: str, allowed: tuple[str, ...]) -> Any:
    if text not in allowed:
        raise SettingsError(f"{name}: one of {', '.join(allowed)}")
    return text


def boolean(name: str, text: str) -> bool:
    if text.lower() not in ("", "0", "1", "false", "true", "no", "yes"):
        raise SettingsError(f"{name}: true or false")
    return text.lower() in ("1", "true", "yes")


def country(text: str | None) -> str | None:
    """RELAY_DEFAULT_COUNTRY."""
    if not text:
        return None
    code = matching("RELAY_DEFAULT_COUNTRY", text, r"[A-Za-z]{2}", "two letters such as DE").lower()
    from conversion_relay.meta.customer_information.keys import known_country  # not for whoever names none

    if known_country(code) is None:
        raise SettingsError("RELAY_DEFAULT_COUNTRY: no country of ISO 3166-1 has these two letters; DE, GB, US ... do")
    return code


def parts_of(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
    except ValueError:
        raise SettingsError(f"{name}: expected a URL such as https://shop.example") from None
    return parts


def told_to(address: str) -> str:
    """One address of RELAY_NOTIFY. What no message can be brought to ends the start: else it would be found out when
    something is wrong, by nobody."""
    name = "RELAY_NOTIFY"
    parts = parts_of(name, address)
    if not re.fullmatch(r"[!-~]+", address):
        raise SettingsError(f"{name}: an address holds a blank or a letter that is not ASCII; percent-encode it")
    if address.startswith("mailto:"):
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", parts.path):
            raise SettingsError(
                f"{name}: a mail address such as mailto:you@example.com, each of several with its mailto:"
            )
        mail_server(parts.query)
        return address
    loopback = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not ((parts.scheme == "https" or loopback) and parts.hostname):
        raise SettingsError(f"{name}: addresses such as mailto:you@example.com or https://hooks.slack.com/...")
    if parts.username is not None:
        raise SettingsError(f"{name}: a webhook is called without user and password; name one whose path is the secret")
    return address


def mail_server(query: str) -> tuple[str, int]:
    """Host and port after the `?` of a mailto: address; this machine's own where there is none.

    >>> mail_server(""), mail_server("smtp=mail.example.com"), mail_server("smtp=[::1]:2525")
    (('localhost', 25), ('mail.example.com', 25), ('::1', 2525))
    """
    if not query:
        return "localhost", 25
    key, _, value = query.partition("=")
    try:
        server = urlsplit(f"//{unquote(value)}")
        host, port = server.hostname, server.port or 25
    except ValueError:
        host, port = None, 0
    if key != "smtp" or not host or not re.fullmatch(r"[\w.:-]+", host) or server.path or server.username is not None:
        raise SettingsError(
            "RELAY_NOTIFY: after the ? of a mail address stands smtp=HOST:PORT alone, of a server without login"
        )
    return host, port


class OutboxUrl(str):
    """RELAY_OUTBOX, whose password a repr does not show.

    >>> print("secret" in repr(OutboxUrl("postgresql://relay:secret@db.example/relay")))
    False
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{self.partition(':')[0]}://...'" if "@" in self or "password" in self else super().__repr__()


def secrets_in(url: str) -> list[str]:
    """Of a RELAY_OUTBOX, for the log filter: the password, and the whole."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    asked = dict(parse_qsl(parts.query)).get("password", "")
    found = [text for text in (parts.password, unquote(parts.password or ""), asked) if text]
    return [*found, url] if found else []
