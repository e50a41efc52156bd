"""An HTTP request in one shape, whoever called the function: HTTP API, REST API, Function URL or load balancer.

Each writes headers, cookies, the body and the peer's address differently, and reads its answer differently:

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html (2.0 and 1.0)
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec

Kind = Literal["http", "rest", "alb", "alb_multi"]


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Header names in lower case, repeated ones joined (cookies by a semicolon); `body` the bytes as they were sent."""

    kind: Kind
    method: str
    path: str
    headers: dict[str, str]
    peer: str | None
    """The address that connected, as AWS saw it; not a header, which anybody can write."""
    url: str
    body: bytes


class NotHttp(Exception):
    """This document is no HTTP request; `reason` says what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def http_request(event: object) -> HttpRequest:
    """The request in a Lambda event. Raises NotHttp for everything else."""
    if not isinstance(event, dict):
        raise NotHttp("the event is not an object")
    context = event.get("requestContext")
    if not isinstance(context, dict):
        raise NotHttp("the event has no requestContext")
    if isinstance(context.get("http"), dict):
        return _version_2(event, context["http"])
    if isinstance(event.get("httpMethod"), str):
        return _load_balancer(event) if "elb" in context else _version_1(event, context)
    raise NotHttp("the requestContext is of no kind that is known here")


def _version_2(event: Mapping[str, Any], http: Mapping[str, Any]) -> HttpRequest:
    headers = _headers(event.get("headers"))
    cookies = event.get("cookies")
    if isinstance(cookies, list):
        headers["cookie"] = "; ".join(map(str, cookies))
    path = _text(event.get("rawPath")) or "/"
    query = _text(event.get("rawQueryString"))
    return HttpRequest(
        kind="http",
        method=_text(http.get("method")).upper(),
        path=path,
        headers=headers,
        peer=_text(http.get("sourceIp")) or None,
        url=_url(headers, path, query, event["requestContext"]),
        body=_body(event),
    )


def _version_1(event: Mapping[str, Any], context: Mapping[str, Any]) -> HttpRequest:
    headers = _headers(event.get("headers"), event.get("multiValueHeaders"))
    identity = context.get("identity")
    peer = _text(identity.get("sourceIp")) if isinstance(identity, dict) else ""
    path = _text(event.get("path")) or "/"
    return HttpRequest(
        kind="rest",
        method=event["httpMethod"].upper(),
        path=path,
        headers=headers,
        peer=peer or None,
        url=_url(headers, path, urlencode(_parameters(event), errors="replace"), event["requestContext"]),
        body=_body(event),
    )


def _load_balancer(event: Mapping[str, Any]) -> HttpRequest:
    """The last address of X-Forwarded-For is the one the load balancer saw: its peer. What stands before it the peer
    wrote; it is believed where the peer is a trusted proxy, such as CloudFront."""
    headers = _headers(event.get("headers"), event.get("multiValueHeaders"))
    forwarded = [hop.strip() for hop in headers.pop("x-forwarded-for", "").split(",") if hop.strip()]
    if forwarded[:-1]:
        headers["x-forwarded-for"] = ", ".join(forwarded[:-1])
    path = _text(event.get("path")) or "/"
    return HttpRequest(
        kind="alb_multi" if isinstance(event.get("multiValueHeaders"), dict) else "alb",
        method=event["httpMethod"].upper(),
        path=path,
        headers=headers,
        peer=forwarded[-1] if forwarded else None,
        url=_url(headers, path, "&".join(map("=".join, _parameters(event))), event["requestContext"]),
        body=_body(event),
    )


def _parameters(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of the query. API Gateway has decoded them; a load balancer leaves them as they were sent."""
    several = event.get("multiValueQueryStringParameters")
    if isinstance(several, dict):
        return [(name, _text(v)) for name, values in several.items() if isinstance(values, list) for v in values]
    single = event.get("queryStringParameters")
    return [(name, _text(value)) for name, value in single.items()] if isinstance(single, dict) else []


def _headers(single: object, several: object = None) -> dict[str, str]:
    ones = single.items() if isinstance(single, dict) else ()
    many = several.items() if isinstance(several, dict) else ()
    return _joined((name, value) for name, value in ones if value is not None) | _joined(
        (name, value) for name, values in many if isinstance(values, list) for value in values
    )


def _joined(pairs: Iterable[tuple[object, object]]) -> dict[str, str]:
    """REST APIs keep the case that a client wrote: `Cookie` and `cookie` may be two names of one header."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = str(name).lower()
        before = headers.get(key)
        headers[key] = str(value) if before is None else f"{before}{'; ' if key == 'cookie' else ', '}{value}"
    return headers


def _body(event: Mapping[str, Any]) -> bytes:
    """A webhook's signature is over these very bytes."""
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise NotHttp("the body is not a text")
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise NotHttp("the body is not valid base64") from None


def _url(headers: Mapping[str, str], path: str, query: str, context: Mapping[str, Any]) -> str:
    """The Test button of a REST API's console sends no Host."""
    host = headers.get("host") or _text(context.get("domainName"))
    return f"https://{host}{path}{f'?{query}' if query else ''}" if host else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def http_answer(
    kind: Kind,
    status: int,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    cookies: tuple[str, ...] = (),
    text: str = "",
) -> dict[str, Any]:
    """An answer in the shape that this kind of caller reads. `cookies`: values of Set-Cookie; `text`: in place of a
    body in JSON."""
    content_type = "text/plain; charset=utf-8" if text else "application/json"
    fields = {"Content-Type": content_type, "Cache-Control": "no-store", **headers}
    written = "" if status == 204 else text or json.dumps(body)
    answer: dict[str, Any] = {"statusCode": status, "body": written, "isBase64Encoded": False}
    if kind == "http":
        return answer | {"headers": fields} | ({"cookies": list(cookies)} if cookies else {})
    several = {name: [value] for name, value in fields.items()} | ({"Set-Cookie": list(cookies)} if cookies else {})
    if kind == "alb":
        # One header of a name is all that this setting of a load balancer can carry.
        return answer | {"headers": fields | ({"Set-Cookie": cookies[0]} if cookies else {})}
    if kind == "alb_multi":
        return answer | {"multiValueHeaders": several}
    return answer | {"headers": fields, "multiValueHeaders": several}
