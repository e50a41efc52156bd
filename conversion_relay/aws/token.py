"""Where the delivery function's access token comes from: its environment, Secrets Manager, or a parameter of SSM. The
secret of the token's app comes from the same places, where there is one.

Kept for five minutes; read again at once when Meta refuses it, so a new token needs no deployment.
"""

from collections.abc import Callable, Mapping

import msgspec

from conversion_relay.errors import SettingsError
from conversion_relay.settings import Settings
from conversion_relay.signed_calls import AwsCalls
from conversion_relay.telemetry import Secret

KEEP_SECONDS = 300.0


class TokenSource:
    """`META_ACCESS_TOKEN` wins; then `META_ACCESS_TOKEN_SECRET_ARN`, then `META_ACCESS_TOKEN_PARAMETER`. The app's
    secret: `META_APP_SECRET`, `META_APP_SECRET_ARN`, `META_APP_SECRET_PARAMETER`, or none."""

    def __init__(self, environ: Mapping[str, str], calls: AwsCalls, clock: Callable[[], float]) -> None:
        self._environ, self._calls, self._clock = environ, calls, clock
        self._token, self._app_secret, self._read_at = "", "", float("-inf")

    def into(self, settings: Settings) -> Settings:
        """The settings with the token of now. Raises SettingsError when there is none; AwsError, AwsUnreachable."""
        if not self._token or self._clock() - self._read_at > KEEP_SECONDS:
            self._token, self._app_secret, self._read_at = self._read(), self._read_app_secret(), self._clock()
        first, *others = settings.datasets
        proof = Secret(self._app_secret) if self._app_secret else first.app_secret
        first = msgspec.structs.replace(first, access_token=Secret(self._token), app_secret=proof)
        return msgspec.structs.replace(settings, datasets=(first, *others))

    def forget(self) -> None:
        """Meta refuses it."""
        self._token = ""

    def _read(self) -> str:
        token = self._found("META_ACCESS_TOKEN", "META_ACCESS_TOKEN_SECRET_ARN", "META_ACCESS_TOKEN_PARAMETER")
        if not token:
            raise SettingsError("Missing required environment variables: META_ACCESS_TOKEN")
        return token

    def _read_app_secret(self) -> str:
        """Empty where the app wants no proof."""
        return self._found("META_APP_SECRET", "META_APP_SECRET_ARN", "META_APP_SECRET_PARAMETER").strip()

    def _found(self, itself: str, secret: str, parameter: str) -> str:
        """By the first that is set: one variable holds it, two say where it is kept. Empty where none is."""
        if text := self._environ.get(itself):
            return text
        if arn := self._environ.get(secret):
            return read_secret(self._calls, arn)
        if name := self._environ.get(parameter):
            return read_parameter(self._calls, name)
        return ""


def read_secret(calls: AwsCalls, arn: str) -> str:
    """Raises AwsError, AwsUnreachable."""
    said = calls.call("secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": arn}, version="1.1")
    return str(said.get("SecretString") or "").strip()


def read_parameter(calls: AwsCalls, name: str) -> str:
    """Raises AwsError, AwsUnreachable."""
    said = calls.call("ssm", "AmazonSSM.GetParameter", {"Name": name, "WithDecryption": True}, version="1.1")
    return str(said.get("Parameter", {}).get("Value") or "").strip()
