"""Whatever calls the function: its request is read as the browser sent it, and answered in the caller's own shape."""

import base64
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.aws.events import NotHttp, http_answer, http_request

BODY = b'{"a": "\xc3\xa9"}'
VERSION_2 = {
    "version": "2.0",
    "rawPath": "/contact",
    "rawQueryString": "x=1",
    "cookies": ["_fbp=fb.1.1.1", "_fbc=fb.1.1.AbC"],
    "headers": {"host": "api.example", "user-agent": "Mozilla/5.0", "x-forwarded-for": "6.6.6.6, 198.51.100.7"},
    "requestContext": {"http": {"method": "POST", "path": "/contact", "sourceIp": "198.51.100.7"}},
}
VERSION_1 = {
    "httpMethod": "POST",
    "path": "/contact",
    "headers": {"Host": "api.example", "User-Agent": "Mozilla/5.0", "Cookie": "_fbp=fb.1.1.1; _fbc=fb.1.1.AbC"},
    "multiValueHeaders": {"X-Twice": ["1", "2"]},
    "requestContext": {"identity": {"sourceIp": "198.51.100.7"}},
}
LOAD_BALANCER = {
    "httpMethod": "POST",
    "path": "/contact",
    "headers": {
        "host": "api.example",
        "user-agent": "Mozilla/5.0",
        "cookie": "_fbp=fb.1.1.1; _fbc=fb.1.1.AbC",
        "x-forwarded-for": "6.6.6.6, 198.51.100.7",
    },
    "requestContext": {"elb": {"targetGroupArn": "arn"}},
}
MULTI_VALUE = LOAD_BALANCER | {
    "headers": None,
    "multiValueHeaders": {name: [value] for name, value in LOAD_BALANCER["headers"].items()},
}
SHAPES = {"http": VERSION_2, "rest": VERSION_1, "alb": LOAD_BALANCER, "alb_multi": MULTI_VALUE}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("is_base64", [False, True])
def test_all_shapes_say_the_same(kind, is_base64):
    body = base64.b64encode(BODY).decode() if is_base64 else BODY.decode()
    request = http_request(SHAPES[kind] | {"body": body, "isBase64Encoded": is_base64})
    assert (request.kind, request.method, request.path) == (kind, "POST", "/contact")
    assert request.body == BODY, "a signature is over these very bytes"
    assert request.peer == "198.51.100.7", "not what the visitor wrote into a header"
    assert request.headers["user-agent"] == "Mozilla/5.0"
    assert request.headers["cookie"] == "_fbp=fb.1.1.1; _fbc=fb.1.1.AbC"
    assert request.url.startswith("https://api.example/contact")


@pytest.mark.parametrize("kind", SHAPES)
def test_what_stands_behind_the_address_comes_with_it(kind):
    """A payment platform's key or signature, as `query` of a source asks for it."""
    decoded = {"signature": ["a+b/c=="], "to": ["x", "y&z"]}
    as_sent = {"signature": ["a%2Bb/c%3D%3D"], "to": ["x", "y%26z"]}
    match kind:
        case "http":
            query = {"rawQueryString": "signature=a%2Bb/c%3D%3D&to=x&to=y%26z"}
        case "rest":
            last = {name: values[-1] for name, values in decoded.items()}
            query = {"queryStringParameters": last, "multiValueQueryStringParameters": decoded}
        case "alb":  # one of a name is all that this setting of a load balancer tells
            query = {"queryStringParameters": {name: values[-1] for name, values in as_sent.items()}}
        case "alb_multi":
            query = {"multiValueQueryStringParameters": as_sent}
    came = dict.fromkeys(decoded)
    for name, value in parse_qsl(urlsplit(http_request(SHAPES[kind] | query).url).query):
        came[name] = [*(came[name] or []), value]
    assert came == (decoded if kind != "alb" else {"signature": ["a+b/c=="], "to": ["y&z"]})


def test_repeated_headers_are_joined():
    assert http_request(VERSION_1).headers["x-twice"] == "1, 2"


@pytest.mark.parametrize("where", ["headers", "multiValueHeaders"])
def test_a_header_in_two_cases_is_one(where):
    cookies = {"Cookie": "_fbp=fb.1.1.1", "cookie": "_fbc=fb.1.1.AbC"}
    event = VERSION_1 | {"headers": cookies}
    if where == "multiValueHeaders":
        event["multiValueHeaders"] = {name: [value] for name, value in cookies.items()}
    assert http_request(event).headers == {"cookie": "_fbp=fb.1.1.1; _fbc=fb.1.1.AbC"} | (
        {"x-twice": "1, 2"} if where == "headers" else {}
    )


@pytest.mark.parametrize("kind", ["http", "rest"])
def test_without_a_host_the_address_is_that_of_the_api(kind):
    """The path says which payment provider it is, also from the Test button of a REST API's console."""
    context = SHAPES[kind]["requestContext"] | {"domainName": "testPrefix.testDomainName"}
    event = SHAPES[kind] | {"headers": None, "requestContext": context, "path": "/webhooks/shopify"}
    request = http_request(event | {"rawPath": "/webhooks/shopify", "rawQueryString": ""})
    assert request.url == "https://testPrefix.testDomainName/webhooks/shopify"


def test_a_body_may_be_missing_or_null():
    assert http_request(VERSION_2).body == http_request(VERSION_1 | {"body": None}).body == b""


@pytest.mark.parametrize("kind", SHAPES)
def test_every_caller_gets_the_shape_it_knows(kind):
    answer = http_answer(kind, 200, {"message": "sent"}, {"Vary": "Origin"}, ("_fbp=1; Path=/", "_fbc=2; Path=/"))
    assert answer["statusCode"] == 200 and json.loads(answer["body"]) == {"message": "sent"}
    match kind:
        case "http":
            assert answer["cookies"] == ["_fbp=1; Path=/", "_fbc=2; Path=/"] and answer["headers"]["Vary"] == "Origin"
        case "alb":
            assert answer["headers"]["Set-Cookie"] == "_fbp=1; Path=/" and "multiValueHeaders" not in answer
        case _:
            assert answer["multiValueHeaders"]["Set-Cookie"] == ["_fbp=1; Path=/", "_fbc=2; Path=/"]
    assert http_answer(kind, 204, {}, {})["body"] == ""
    word = http_answer(kind, 200, {"message": "accepted"}, {}, text="OK")
    types = word["headers"]["Content-Type"] if "headers" in word else word["multiValueHeaders"]["Content-Type"][0]
    assert (word["body"], types) == ("OK", "text/plain; charset=utf-8")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(
    event=st.fixed_dictionaries(
        {},
        optional={
            "requestContext": st.fixed_dictionaries({}, optional={"http": JSON, "elb": JSON, "identity": JSON}) | JSON,
            "httpMethod": JSON,
            "headers": JSON,
            "multiValueHeaders": JSON,
            "cookies": JSON,
            "body": JSON,
            "isBase64Encoded": JSON,
            "path": JSON,
            "rawPath": JSON,
            "rawQueryString": JSON,
            "queryStringParameters": JSON,
            "multiValueQueryStringParameters": JSON,
        },
    )
    | JSON
)
def test_whatever_comes_is_a_request_or_named(event):
    try:
        request = http_request(event)
    except NotHttp:
        return
    assert isinstance(request.body, bytes)
