"""What the stand-in answers with: Meta's errors that are not about an event, headers, and how an answer is made."""

import base64
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from conversion_relay.emulator.faults import Fault
from conversion_relay.emulator.graph_errors import BAD_LEAD, GITHUB, GraphError

STATIC = Path(__file__).parent / "static"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_ERROR_PAGE = "https://developers.facebook.com/docs/graph-api/guides/error-handling"
_LIMITS_PAGE = "https://developers.facebook.com/docs/graph-api/overview/rate-limiting"
_GENERAL = "general knowledge of the Graph API"
_LIVE = "live answer of v26.0, 2026-09"
NO_TOKEN = GraphError(
    104, status=401, message="An access token is required to request this resource.", recorded=_GENERAL
)
BAD_TOKEN = GraphError(
    190, status=401, message="Invalid OAuth access token - Cannot parse access token", recorded=_LIVE
)
EXPIRED = GraphError(190, 463, message="Error validating access token: Session has expired.", recorded=_ERROR_PAGE)
OTHER_TOKEN = GraphError(190, status=401, message="Invalid OAuth access token.", recorded=_GENERAL)
NO_PROOF = GraphError(
    100,
    type="GraphMethodException",
    message="API calls from the server require an appsecret_proof argument",
    recorded=_GENERAL,
)
BAD_PROOF = GraphError(
    100,
    type="GraphMethodException",
    message="Invalid appsecret_proof provided in the API argument",
    recorded=f"{GITHUB}/chatwoot/chatwoot/issues/12935",
)
UNKNOWN_PATH = GraphError(2500, message="Unknown path components", status=404, recorded=_GENERAL)
THROTTLED = GraphError(
    80004,
    2446079,
    message="There have been too many calls to this ad-account. Wait a bit and try again.",
    transient=True,
    recorded=_LIMITS_PAGE,
)
UNAVAILABLE = GraphError(2, status=500, message="Service temporarily unavailable", transient=True, recorded=_ERROR_PAGE)
POISONED = BAD_LEAD


def unknown_dataset(dataset: str) -> GraphError:
    return GraphError(
        100,
        33,
        type="GraphMethodException",
        message=f"Unsupported post request. Object with ID '{dataset}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
        recorded=_ERROR_PAGE,
    )


class Answer(msgspec.Struct):
    status: int
    body: bytes
    headers: dict[str, str] = {}


def fault_error(fault: Fault | None, dataset: str) -> GraphError | None:
    match fault.mode if fault else None:
        case "http_500":
            return UNAVAILABLE
        case "throttle":
            return THROTTLED
        case "token_expired":
            return EXPIRED
        case "unknown_dataset":
            return unknown_dataset(dataset)
    return None


def usage(fault: Fault | None) -> dict[str, str]:
    """https://developers.facebook.com/docs/graph-api/overview/rate-limiting"""
    throttled = fault is not None and fault.mode == "throttle"
    percent = 100 if throttled else 1
    regain = fault.regain_minutes if fault else 0
    row = {"type": "ads_management", "call_count": percent, "total_cputime": 1, "total_time": 1}
    usage = {"1": [{**row, "estimated_time_to_regain_access": regain}]}
    headers = {
        "x-app-usage": f'{{"call_count":{percent},"total_time":1,"total_cputime":1}}',
        "x-business-use-case-usage": msgspec.json.encode(usage).decode(),
    }
    return headers | ({"retry-after": fault.retry_after} if fault and fault.retry_after else {})


def trace() -> str:
    return "A" + base64.urlsafe_b64encode(secrets.token_bytes(18)).decode()[:22]


# https://developers.facebook.com/docs/graph-api/reference/debug_token: of a system user's token, which has no end.
TOKEN = {"data": {"type": "SYSTEM_USER", "is_valid": True, "expires_at": 0, "data_access_expires_at": 0}}


def json_of(value: object) -> bytes:
    return msgspec.json.encode(value)


def json(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(
        status,
        json_of(value),
        {"content-type": "application/json; charset=UTF-8", **(headers or {})},
    )


def file(name: str) -> Answer:
    kind = {"html": "text/html", "css": "text/css", "js": "text/javascript"}[name.rpartition(".")[2]]
    headers = {
        "content-type": f"{kind}; charset=utf-8",
        "content-security-policy": _POLICY,
        "cache-control": "no-store",
    }
    return Answer(200, (STATIC / name).read_bytes(), headers)
