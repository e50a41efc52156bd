"""Calls to AWS: one signed POST, one bounded answer, over a connection that is kept.

A boto3 client costs 0.3 to 1.0 s of CPU when a function starts, botocore's signer alone 0.1. So the functions call the
few actions they need by their documented JSON protocols, and nothing loads a service model. A small library signs; a
test compares it with botocore's signer (docs/adr/0009). How a call is bounded: `http_client.py`.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from conversion_relay.http_client import HttpClient, NoAnswer

SECONDS = 5.0
"""Of one try."""
TRIES = 3
MOST_BYTES = 16 * 1_048_576
"""Of an answer; ten messages of SQS are a sixteenth of it."""
WAIT_SECONDS = 0.1
"""Before the second try; twice as long before the third."""
NO_CREDENTIALS = (
    "no credentials here; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role"
)
PASSING = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "KMS.ThrottlingException",
        "KmsThrottled",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""What every SDK of AWS tries again, and SQS's own where its key is asked for too often:
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""


SUFFIXES = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}
"""Of a host, by the first word of its region."""
ENDPOINTS = {"secretsmanager": "SECRETS_MANAGER", "ses": "SESV2"}
"""Where a service's variable AWS_ENDPOINT_URL_... is named otherwise: by its id in AWS's SDKs."""


class AwsError(Exception):
    """AWS said no. `code` is its short name; the text holds no value of ours."""

    def __init__(self, code: str, status: int, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(f"{code} (HTTP {status})" if status else code)
        self.code, self.status = code, status
        self.reasons = reasons
        """Of a DynamoDB transaction: one code for each of its items."""


class AwsUnreachable(Exception):
    """Nobody answered, or not in time; the action may have been done."""


class _Credentials(msgspec.Struct, frozen=True):
    access_key: str
    secret_key: str
    token: str | None


class JsonCalls(Protocol):
    """Actions of the AWS JSON protocol."""

    def call(self, service: str, target: str, body: Mapping[str, Any], *, version: str = "1.0") -> dict[str, Any]:
        """Raises AwsError, AwsUnreachable."""


class AwsCalls:
    """Safe to use from several threads. `region` (by default) and credentials come from the function's environment; on
    an operator's machine credentials come from botocore's own chain (profiles, single sign-on)."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        region: str = "",
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._environ, self._pause = environ, pause
        self.region = region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        self._client = HttpClient()

    def call(self, service: str, target: str, body: Mapping[str, Any], *, version: str = "1.0") -> dict[str, Any]:
        """An action of the AWS JSON protocol, such as ("sqs", "AmazonSQS.SendMessage", {...})."""
        headers = {"Content-Type": f"application/x-amz-json-{version}", "X-Amz-Target": target}
        return self.post(service, "/", body, headers)

    def post(
        self, service: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Tried again where AWS says that it would pass. Raises AwsError, or AwsUnreachable when nobody answers."""
        data = json.dumps(body).encode()
        headers = headers or {"Content-Type": "application/json"}
        for n in range(1, TRIES + 1):
            try:
                return self._try(service, path, data, headers)
            except AwsUnreachable:
                if n == TRIES:
                    raise
            except AwsError as error:
                if n == TRIES or not (error.status >= 500 or error.status == 429 or error.code in PASSING):
                    raise
            self._pause(WAIT_SECONDS * 2 ** (n - 1))
        raise AssertionError("unreachable")

    def _try(self, service: str, path: str, data: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        url = self._endpoint(service) + path
        answer = self._client.post(url, self._signed(service, url, data, headers), data, SECONDS, MOST_BYTES)
        if isinstance(answer, NoAnswer):
            raise AwsUnreachable(f"{service} did not answer")
        said = _parse(answer.body)
        if answer.status == 200:
            return said
        raise AwsError(_code(said, answer.headers), answer.status, _reasons(said))

    def _endpoint(self, service: str) -> str:
        host = "email" if service == "ses" else service
        suffix = SUFFIXES.get(self.region.partition("-")[0], "amazonaws.com")
        of_service = f"AWS_ENDPOINT_URL_{ENDPOINTS.get(service, service.upper())}"
        named = self._environ.get(of_service) or self._environ.get("AWS_ENDPOINT_URL")
        return (named or f"https://{host}.{self.region}.{suffix}").rstrip("/")

    def _signed(self, service: str, url: str, data: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        from aws_request_signer import AwsRequestSigner

        keys = self._credentials()
        signer = AwsRequestSigner(self.region, keys.access_key, keys.secret_key, service, keys.token)
        # No trace id goes along, as AWS's SDKs send it. By it Lambda sees a function that writes to its own queue, as
        # ours does with what waits, and after 16 times it throws the message away.
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        return {**headers, **signer.sign_with_headers("POST", url, headers, hashlib.sha256(data).hexdigest())}

    def _credentials(self) -> Any:
        """Read each time: a function's are renewed in its environment."""
        key, secret = self._environ.get("AWS_ACCESS_KEY_ID"), self._environ.get("AWS_SECRET_ACCESS_KEY")
        if key and secret:
            return _Credentials(key, secret, self._environ.get("AWS_SESSION_TOKEN"))
        try:
            from botocore.session import get_session
        except ModuleNotFoundError:  # a function has no need of it
            raise AwsError(NO_CREDENTIALS, 0) from None
        found = get_session().get_credentials()
        if found is None:
            raise AwsError(NO_CREDENTIALS, 0)
        return found.get_frozen_credentials()


def _parse(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _code(said: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """`com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException` and its cousins, without the namespace."""
    code = headers.get("x-amzn-query-error", "").partition(";")[0] or said.get("__type") or said.get("code")
    return str(code or headers.get("x-amzn-errortype") or "Unknown").rpartition("#")[2].partition(":")[0]


def _reasons(said: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(reason.get("Code")) for reason in said.get("CancellationReasons", ()) if isinstance(reason, dict))
