"""The banner's cookie, with the words that banners write and the mistakes that programs make."""

from types import SimpleNamespace

import pytest
from flask import Flask

from conversion_relay import Event, Relay, UserData
from conversion_relay.frameworks import asgi, flask
from conversion_relay.frameworks.litestar import ConversionPlugin
from conversion_relay.frameworks.visitor import ConsentCookie

LEAD = Event(event_name="Lead", user_data=UserData(email="jane@shop.example"))


@pytest.mark.parametrize(
    ("words", "value", "said"),
    [
        ({"granted": ("All",), "denied": ("None",)}, "None", "denied"),
        ({"granted": ("All",), "denied": ("None",)}, "All", "granted"),
        ({"granted": (True,), "denied": (False,)}, "False", "denied"),
        ({"granted": "all", "denied": "none"}, "none", "denied"),
        ({"granted": "all", "denied": "none"}, "", None),
        ({"granted": "all", "denied": "none"}, "a", None),
        ({"granted": {"all"}, "denied": ["none", "no"]}, "no", "denied"),
    ],
    ids=range(7),
)
def test_the_words_are_whole_words_in_any_case(words, value, said):
    """A no with a capital was no answer, and an empty value stood in every word that was given without its comma."""
    assert ConsentCookie("cc", **words).read(f"cc={value}") == said


@pytest.mark.parametrize("name", [None, "", 5], ids=range(3))
def test_a_cookie_has_a_name(name):
    with pytest.raises(TypeError, match="takes the name of a cookie"):
        ConsentCookie(name)


def test_the_name_alone_is_a_cookie():
    """It was a 500 for each request."""
    with Relay.testing() as relay:
        app = Flask("shop")
        conversions = flask.Conversions(app, relay, consent="marketing")
        with app.test_request_context(headers={"Cookie": "marketing=denied"}):
            assert conversions.track(LEAD).status == "withheld"
        headers = [(b"cookie", b"marketing=denied"), (b"user-agent", b"x")]
        scope = {"type": "http", "headers": headers}

        async def shop(scope, receive, send):
            assert asgi.visitor(SimpleNamespace(scope=scope)).track(LEAD).status == "withheld"

        with pytest.raises(StopIteration):
            asgi.Conversions(shop, relay, consent="marketing")(scope, None, None).send(None)


@pytest.mark.parametrize("consent", [True, ("marketing",), print], ids=range(3))
def test_anything_else_is_told_where_it_is_given(consent):
    with Relay.testing() as relay:
        makes = (
            lambda: asgi.Conversions(None, relay, consent=consent),
            lambda: flask.Conversions(Flask("shop"), relay, consent=consent),
            lambda: ConversionPlugin(relay, consent=consent),
        )
        for make in makes:
            with pytest.raises(TypeError, match="consent is a ConsentCookie or the cookie's name"):
                make()
