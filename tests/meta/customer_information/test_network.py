"""Addresses and user agents as proxies, load balancers and visitors hand them on."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.meta.customer_information.hashing import Dropped
from conversion_relay.meta.customer_information.network import normalize_client_ip_address, normalize_user_agent

ADDRESSES = [
    ("8.8.8.8", "8.8.8.8"),
    (" 8.8.8.8\t", "8.8.8.8"),
    ("8.8.8.8:443", "8.8.8.8"),
    ("2001:4860:4860::8888", "2001:4860:4860::8888"),
    ("2001:4860:4860:0:0:0:0:8888", "2001:4860:4860:0:0:0:0:8888"),
    ("2001:4860:4860::ABCD", "2001:4860:4860::ABCD"),
    ("[2001:4860:4860::8888]", "2001:4860:4860::8888"),
    ("[2001:4860:4860::8888]:65535", "2001:4860:4860::8888"),
    ("::ffff:8.8.8.8", "8.8.8.8"),
    ("::FFFF:808:808", "8.8.8.8"),
    ("[::ffff:8.8.8.8]:80", "8.8.8.8"),
    ("2606:4700::1111%eth0", "2606:4700::1111"),
    ("203.0.113.7", "203.0.113.7"),
    ("2001:db8::7", "2001:db8::7"),
    ("100.63.255.255", "100.63.255.255"),
    ("100.128.0.0", "100.128.0.0"),
    ("172.15.255.255", "172.15.255.255"),
    ("172.32.0.0", "172.32.0.0"),
    ("192.167.255.255", "192.167.255.255"),
    ("1.0.0.0", "1.0.0.0"),
    ("223.255.255.255", "223.255.255.255"),
    ("8.8.8.8.AQICAQMC", "8.8.8.8.AQICAQMC"),
    ("2606:4700::1111.AQICAQMC", "2606:4700::1111.AQICAQMC"),
]


@pytest.mark.parametrize(("text", "normalized"), ADDRESSES)
def test_a_public_address_is_kept_as_it_came_without_port_and_brackets(text, normalized):
    assert normalize_client_ip_address(text) == normalized


NOT_PUBLIC = [
    "10.0.0.0",
    "10.255.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.168.0.0",
    "192.168.255.255:8080",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.1",
    "0.0.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1%eth0",
    "fc00::1",
    "fdff:ffff::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "[::ffff:127.0.0.1]:80",
    "10.0.0.1.AQICAQMC",
]


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_an_address_that_only_one_network_knows_is_dropped(text):
    assert normalize_client_ip_address(text) == Dropped("not a public address")


NOT_ADDRESSES = [
    "unknown",
    "_hidden",
    "localhost",
    "8.8.8",
    "8.8.8.256",
    "8.8.8.8.8",
    "08.8.8.8",
    "0x8.8.8.8",
    "134744072",
    "８.８.８.８",
    "8.8.8.8, joe",
    "8.8.8.8,1",
    ",",
    "unknown, unknown",
    "8.8.8.8/32",
    "2001:::1",
    "g::1",
    "null",
    "8.8.8.8; DROP TABLE",
    "[]",
    "::ffff:8.8.8.8.8",
    "1" * 65,
    "8.8.8.8.AQICAQMCx",
]


@pytest.mark.parametrize("text", NOT_ADDRESSES)
def test_what_is_no_address_is_dropped(text):
    assert normalize_client_ip_address(text) == Dropped("not an IP address")


@pytest.mark.parametrize(
    ("header", "visitor"),
    [
        ("8.8.8.8, 1.1.1.1", "8.8.8.8"),
        ("8.8.8.8,10.0.0.1", "8.8.8.8"),
        ("192.168.1.7, 8.8.8.8, 172.68.1.1", "8.8.8.8"),
        ("unknown, 2606:4700::1111, ::ffff:10.0.0.1", "2606:4700::1111"),
        ("8.8.8.8:51511, [2606:4700::1111]:443,", "8.8.8.8"),
        ("10.0.0.1, 127.0.0.1", Dropped("not a public address")),
    ],
)
def test_of_a_whole_x_forwarded_for_the_first_public_address_is_the_visitors(header, visitor):
    """Express gives the header as it came: `req.headers["x-forwarded-for"]`."""
    assert normalize_client_ip_address(header) == visitor


@given(st.ip_addresses())
def test_every_address_is_kept_or_dropped_and_global_ones_are_kept(address):
    result = normalize_client_ip_address(str(address))
    if address.is_global and not address.is_multicast and not getattr(address, "ipv4_mapped", None):
        assert result == str(address)
    elif not isinstance(result, Dropped):
        assert not ipaddress.ip_address(result).is_loopback and not ipaddress.ip_address(result).is_link_local


AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS;FBAV/440.0.0.1]"


@pytest.mark.parametrize("text", [AGENT, "curl/8.0", "x", "Мозилла/5.0", "Mozilla 🦊", "a" * 2_048])
def test_a_user_agent_is_kept_as_it_came(text):
    assert normalize_user_agent(f" {text} ") == text


@pytest.mark.parametrize("text", ["a" * 2_049, "Mozilla\r\nX: y", "a\x00b", "a\x1b[31m", "a\tb", "\u202egnp.exe"])
def test_what_a_header_cannot_hold_is_no_user_agent(text):
    assert normalize_user_agent(text) == Dropped("not a user agent")


@pytest.mark.parametrize("rule", [normalize_client_ip_address, normalize_user_agent])
@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_nothing_is_empty(rule, text):
    assert rule(text) == Dropped("empty")
