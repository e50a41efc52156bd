"""Where the delivery function's access token comes from: its environment, Secrets Manager, or a parameter of SSM. The
secret of the token's app comes from the same places, where there is one.

Kept for five minutes; read again at once when Meta refuses it, so a new token needs no deployment. Where it cannot be
read anew (AWS throttles, or does not answer), the one of before is used on until Meta refuses it.
"""

import base64
from collections.abc import Callable, Mapping

import msgspec

from conversion_relay.errors import SettingsError
from conversion_relay.settings import Settings
from conversion_relay.signed_calls import AwsError, AwsUnreachable, JsonCalls
from conversion_relay.telemetry import Secret, logger

KEEP_SECONDS = 300.0
_PLACES = {
    "META_ACCESS_TOKEN": ("META_ACCESS_TOKEN_SECRET_ARN", "META_ACCESS_TOKEN_PARAMETER"),
    "META_APP_SECRET": ("META_APP_SECRET_ARN", "META_APP_SECRET_PARAMETER"),
}


class TokenSource:
    """`META_ACCESS_TOKEN` wins; then `META_ACCESS_TOKEN_SECRET_ARN`, then `META_ACCESS_TOKEN_PARAMETER`. The app's
    secret: `META_APP_SECRET`, `META_APP_SECRET_ARN`, `META_APP_SECRET_PARAMETER`, or none."""

    def __init__(self, environ: Mapping[str, str], calls: JsonCalls, clock: Callable[[], float]) -> None:
        self._environ, self._calls, self._clock = environ, calls, clock
        self._token, self._app_secret, self._read_at = "", "", float("-inf")

    def into(self, settings: Settings) -> Settings:
        """The settings with the token of now. Raises SettingsError when there is none; AwsError, AwsUnreachable."""
        if not self._token or self._clock() - self._read_at > KEEP_SECONDS:
            self._renew()
        first, *others = settings.datasets
        proof = Secret(self._app_secret) if self._app_secret else first.app_secret
        first = msgspec.structs.replace(first, access_token=Secret(self._token), app_secret=proof)
        return msgspec.structs.replace(settings, datasets=(first, *others))

    def _renew(self) -> None:
        try:
            self._token, self._app_secret = self._read(), self._read_app_secret()
        except (AwsError, AwsUnreachable) as error:
            if not self._token:
                raise
            logger.warning("The access token cannot be read anew; it is used as it was", extra={"reason": str(error)})
        self._read_at = self._clock()

    def forget(self) -> None:
        """Meta refuses it."""
        self._token = ""

    def _read(self) -> str:
        token = self._found("META_ACCESS_TOKEN")
        if not token and any(self._environ.get(place) for place in _PLACES["META_ACCESS_TOKEN"]):
            raise SettingsError("META_ACCESS_TOKEN: nothing is kept in its place at AWS; put the token there")
        if not token:
            raise SettingsError("Missing required environment variables: META_ACCESS_TOKEN")
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise SettingsError("META_ACCESS_TOKEN: holds a space or an odd character; paste it without line breaks")
        return token

    def _read_app_secret(self) -> str:
        """Empty where the app wants no proof."""
        return self._found("META_APP_SECRET").strip()

    def _found(self, name: str) -> str:
        """By the first that is set: one variable holds it, two say where it is kept. Empty where none is."""
        if text := self._environ.get(name):
            return text
        at_secrets_manager, at_ssm = _PLACES[name]
        if arn := self._environ.get(at_secrets_manager):
            return read_secret(self._calls, arn, name)
        if parameter := self._environ.get(at_ssm):
            return read_parameter(self._calls, parameter, name)
        return ""


def read_secret(calls: JsonCalls, arn: str, name: str = "") -> str:
    """A text that Secrets Manager keeps; empty where nothing was put there yet.

    `name`: of the setting that it is. Then it may also stand under that name in a JSON object, or alone in one under
    any name: the form of AWS's console keeps every secret so. Raises SettingsError, AwsError, AwsUnreachable."""
    try:
        said = calls.call("secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": arn}, version="1.1")
    except AwsError as error:
        # Of a secret that Terraform made and nobody has filled, too: it has no version.
        if error.code == "ResourceNotFoundException":
            return ""
        raise
    text = said.get("SecretString") or _of_bytes(said.get("SecretBinary"))
    return _of_setting(str(text).strip(), name)


def read_parameter(calls: JsonCalls, parameter: str, name: str = "") -> str:
    """The same of a parameter of SSM."""
    said = calls.call("ssm", "AmazonSSM.GetParameter", {"Name": parameter, "WithDecryption": True}, version="1.1")
    return _of_setting(str(said.get("Parameter", {}).get("Value") or "").strip(), name)


def _of_bytes(kept: object) -> str:
    """`--secret-binary fileb://token.txt` keeps a text, too; what is none holds no setting."""
    try:
        return base64.b64decode(str(kept or ""), validate=True).decode()
    except ValueError:
        return ""


def _of_setting(text: str, name: str) -> str:
    if not name or text[:1] not in ("{", '"'):
        return text
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        found = None
    if isinstance(found, str):
        return found.strip()
    if isinstance(found, dict):
        named = [value for key, value in found.items() if key.upper().replace("-", "_") == name]
        match named or list(found.values()):
            case [str() as value]:
                return value.strip()
    raise SettingsError(
        f"{name}: in its place at AWS stands JSON that is broken or holds several values; put it there alone, or by the"
        f" key {name}"
    )
