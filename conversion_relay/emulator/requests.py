"""From a Graph API request to its token and its events: three encodings, three places for the token.

https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import msgspec
from multipart import MultipartError, MultipartParser, parse_options_header

from conversion_relay.emulator.graph_errors import DATA_IS_NESTED, DATA_IS_NO_ARRAY, DATA_IS_REQUIRED, GraphError


class GraphRequest(msgspec.Struct):
    """What was asked for. `events` is None where data could not be read."""

    encoding: str
    token: str | None
    token_in: str | None
    events: list[Any] | None
    unreadable: GraphError | None = None
    """Meta's answer where `events` is None."""
    proof: str = ""
    """`appsecret_proof`: like every parameter of the Graph API in the body or in the query."""
    query: dict[str, list[str]] = {}
    batch: Any = None
    """`batch`, decoded; None where there is none, or one that is no JSON."""
    has_batch: bool = False
    include_headers: bool = True


def read(headers: Mapping[str, str], query: str, body: bytes) -> GraphRequest:
    """Header names in lower case. Never raises."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding, fields = _fields(kind, headers.get("content-type", ""), body)
    asked = dict(parse_qsl(query, keep_blank_values=True))
    proof = fields.get("appsecret_proof", asked.get("appsecret_proof"))
    places = (
        ("header", _bearer(headers.get("authorization", ""))),
        ("body", fields.get("access_token")),
        ("query", asked.get("access_token")),
    )
    token_in, token = next(((place, found) for place, found in places if found is not None), (None, None))
    data = fields.get("data", asked.get("data"))
    events = _events(data)
    unreadable = None if events is not None else DATA_IS_REQUIRED if data is None else DATA_IS_NO_ARRAY
    if data is None and any(name.startswith("data[") for name in fields):
        unreadable = DATA_IS_NESTED
    batch = fields.get("batch", asked.get("batch"))
    include = fields.get("include_headers", asked.get("include_headers"))
    return GraphRequest(
        encoding,
        (token if isinstance(token, str) else "") if token_in else None,
        token_in,
        events,
        unreadable,
        proof if isinstance(proof, str) else "",
        parse_qs(query),
        _decode(batch.encode()) if isinstance(batch, str) else batch,
        batch is not None,
        include not in (False, "false", "0"),
    )


def read_scope(scope: Mapping[str, Any], body: bytes = b"") -> GraphRequest:
    """Of an ASGI request."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return read(headers, scope["query_string"].decode("latin-1"), body)


def read_parameters(scope: Mapping[str, Any], body: bytes) -> dict[str, str]:
    """Of the pixel's request, whose parameters stand in the address, in a form, or (from `sendBeacon`) in parts."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    content_type = headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
        given = _multipart(content_type, body)
    else:
        given = dict(parse_qsl(body.decode("utf-8", "replace")))
    return dict(parse_qsl(scope["query_string"].decode("utf-8", "replace"))) | given


def _fields(kind: str, content_type: str, body: bytes) -> tuple[str, dict[str, Any]]:
    if kind == "multipart/form-data":
        return "multipart", _multipart(content_type, body)
    if kind == "application/x-www-form-urlencoded" and body.lstrip()[:1] != b"{":
        return "urlencoded", dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    document = _decode(body)
    return "json", document if isinstance(document, dict) else {}


def _multipart(content_type: str, body: bytes) -> dict[str, Any]:
    import io

    boundary = parse_options_header(content_type)[1].get("boundary")
    if not boundary:
        return {}
    try:
        return {part.name: part.value for part in MultipartParser(io.BytesIO(body), boundary)}
    except (MultipartError, UnicodeError, LookupError):  # the last of a charset that is none
        return {}


def _events(data: Any) -> list[Any] | None:
    """`data` as an array, as JSON text of one, or (the SDKs) as an array of JSON texts."""
    if isinstance(data, str):
        data = _decode(data.encode())
    if not isinstance(data, list):
        return None
    return [_decode(item.encode()) if isinstance(item, str) else item for item in data]


def _bearer(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "oauth") else None


def _decode(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
