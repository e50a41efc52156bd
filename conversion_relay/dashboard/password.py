"""RELAY_ADMIN_PASSWORD: the password itself, or its argon2 hash, which tells nothing to who reads the settings.

A hash is slow on purpose (tens of milliseconds), and a script that reads /metrics every few seconds sends the password
each time. So what was right once is remembered by a keyed digest, in memory alone.
https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
"""

import hmac
import re
import secrets

from conversion_relay.errors import SettingsError

_EATEN = re.compile(r"=\d+,t=\d+,p=\d+")


class Password:
    """Raises SettingsError for a hash that cannot be checked."""

    def __init__(self, setting: str) -> None:
        self._setting, self._key, self._right = setting, secrets.token_bytes(32), b""
        self.is_hash = setting.startswith("$argon2")
        if self.is_hash:
            _check(setting)
        elif _EATEN.search(setting):
            raise SettingsError(
                "RELAY_ADMIN_PASSWORD: what is left of an argon2 hash whose dollar signs a shell or compose file took"
                " for variables; write each as $$ in a compose file, the whole in single quotes in a shell"
            )

    def __bool__(self) -> bool:
        return bool(self._setting)

    def is_right(self, given: bytes) -> bool:
        if not self.is_hash:
            return hmac.compare_digest(given, self._setting.encode("utf-8", "surrogateescape"))
        digest = hmac.digest(self._key, given, "sha256")
        if self._right and hmac.compare_digest(digest, self._right):
            return True
        from argon2 import PasswordHasher
        from argon2.exceptions import Argon2Error

        try:
            PasswordHasher().verify(self._setting, given)
        except Argon2Error:
            return False
        self._right = digest
        return True


def _check(setting: str) -> None:
    try:
        from argon2 import extract_parameters
        from argon2.exceptions import InvalidHashError
    except ImportError:
        raise SettingsError("RELAY_ADMIN_PASSWORD: a hash needs pip install 'conversion-relay[server]'") from None
    try:
        extract_parameters(setting)
    except InvalidHashError:
        raise SettingsError("RELAY_ADMIN_PASSWORD: begins like an argon2 hash and is none; hash it anew") from None
