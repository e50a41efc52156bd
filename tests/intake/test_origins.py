"""RELAY_ALLOWED_ORIGINS: what is meant is brought into the browsers' form, and what cannot be meant is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.errors import SettingsError
from conversion_relay.intake.browser import listed_origin
from conversion_relay.intake.origins import normal_origin


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example/", "https://shop.example"),
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80/", "http://shop.example"),
        ("https://shop.example:", "https://shop.example"),
        ("https://shop.example:80", "https://shop.example:80"),
        ("https://shop.example:08443", "https://shop.example:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://[2001:DB8:0:0::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://my_shop.example", "https://my_shop.example"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example:443/", "https://xn--bcher-kva.example"),
        ("https://bu\u0308cher.example", "https://xn--bcher-kva.example"),
        ("https://XN--BCHER-KVA.example", "https://xn--bcher-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        # UTS 46 maps a capital sigma to the small one, wherever it stands.
        ("https://ΒΌΛΟΣ.example", "https://xn--nxasmq6b.example"),
        ("https://日本語。jp", "https://xn--wgv71a119e.jp"),
        ("https://магазин.рф", "https://xn--80aairftm.xn--p1ai"),
        ("https://متجر.مصر", "https://xn--pgbep1f.xn--wgbh1c"),
        ("https://ｓｈｏｐ．example", "https://shop.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://localhost", "ionic://localhost"),
        ("app://-", "app://-"),
        ("tauri://localhost/", "tauri://localhost"),
        ("com.example.shop://callback", "com.example.shop://callback"),
        ("Chrome-Extension://abcdefghijklmnopabcdefghijklmnop", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"),
        (
            "moz-extension://0a1b2c3d-0000-4000-8000-000000000000",
            "moz-extension://0a1b2c3d-0000-4000-8000-000000000000",
        ),
        ("capacitor://localhost:443", "capacitor://localhost:443"),
    ],
)
def test_what_is_meant_is_what_a_browser_sends(written, sent):
    assert normal_origin(written) == sent
    assert listed_origin(sent, {normal_origin(written)}) == sent


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("*", "no wildcards"),
        ("https://*", "no wildcards"),
        ("https://*.shop.example", "no wildcards"),
        ("https://shop.*", "no wildcards"),
        ("null", "API key"),
        ("NULL", "API key"),
        ("file://", "API key"),
        ("data:text/html,x", "API key"),
        ("shop.example", "begins with its scheme"),
        ("//shop.example", "begins with its scheme"),
        ("localhost:3000", "begins with its scheme"),
        ("https:shop.example", "begins with its scheme"),
        ("https://shop.example/path", "without path"),
        ("https://shop.example/?a", "without path"),
        ("https://shop.example?a=b", "without path"),
        ("https://shop.example#a", "without path"),
        ("https://shop.example//", "without path"),
        ("https://user:pass@shop.example", "without a user"),
        ("https://", "the host is not one"),
        ("https://.", "the host is not one"),
        ("https://a..b", "the host is not one"),
        ("https://two words.example", "the host is not one"),
        ("https://[::1", "the port is not one"),
        ("https://[fe80::1%eth0]", "the host is not one"),
        ("https://[zz]", "the host is not one"),
        ("https://shop.example:x", "the port is not one"),
        ("https://shop.example:0", "the port is not one"),
        ("https://shop.example:65536", "the port is not one"),
        ("https://shop.example:٣", "the port is not one"),
        ("https://bücher.example:443:1", "the port is not one"),
        (f"https://{'ü' * 80}.example", "the host is not one"),
        ("https://shop\u2100.example", "the host is not one"),
        ("capacitor://bücher", "the host is not one"),
        ("chrome-extension://", "the host is not one"),
    ],
)
def test_what_could_not_match_is_refused_with_what_to_write(written, remedy):
    with pytest.raises(SettingsError, match=r"^RELAY_ALLOWED_ORIGINS: ") as error:
        normal_origin(written)
    assert remedy in str(error.value)
    assert "pass" not in str(error.value) and "words" not in str(error.value)


@given(st.text(max_size=80) | st.from_regex(r"https?://[^,]{0,40}", fullmatch=True))
def test_any_text_is_an_origin_or_refused_and_stays_what_it_is_when_read_again(text):
    try:
        origin = normal_origin(text)
    except SettingsError:
        return
    assert origin.isascii() and origin == origin.lower() and normal_origin(origin) == origin
