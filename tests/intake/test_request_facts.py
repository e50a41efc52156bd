"""Whose request this is, whatever its headers claim."""

import ipaddress
from http.cookies import SimpleCookie

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conversion_relay.intake.request_facts import client_address, is_trusted, request_facts

OURS = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "127.0.0.1/32", "fd00::/8")]
VISITOR, FBP = "198.51.100.7", "fb.1.1596403881668.1116446470"


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        (VISITOR, "", VISITOR),
        (VISITOR, "6.6.6.6", VISITOR),
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.5", VISITOR, VISITOR),
        ("10.0.0.5", f"6.6.6.6, {VISITOR}", VISITOR),
        ("10.0.0.5", f"6.6.6.6,{VISITOR} ,10.0.0.9,\t10.1.1.1", VISITOR),
        ("10.0.0.5", "10.0.0.9, 10.1.1.1", "10.0.0.9"),
        ("10.0.0.5", f"{VISITOR}, , ,", VISITOR),
        ("10.0.0.5", f"{VISITOR}:4711", VISITOR),
        ("10.0.0.5", f"{VISITOR}, 10.0.0.9:443", VISITOR),
        ("10.0.0.5", "[2606:4700::1111]:443", "2606:4700::1111"),
        ("10.0.0.5", "2606:4700::1111", "2606:4700::1111"),
        ("::ffff:10.0.0.5", VISITOR, VISITOR),
        ("fd12::1", f"{VISITOR}, [fd12::2]:80", VISITOR),
        ("127.0.0.1", VISITOR, VISITOR),
        ("127.0.0.2", VISITOR, "127.0.0.2"),
        (None, VISITOR, None),
        (f"{VISITOR}:24254", "6.6.6.6", VISITOR),
        ("10.0.0.5:24254", VISITOR, VISITOR),
        ("[fd12::1]:24254", VISITOR, VISITOR),
        ("unix:/run/relay.sock", VISITOR, "unix:/run/relay.sock"),
    ],
)
def test_the_header_is_read_from_the_right_as_far_as_our_proxies_vouch(peer, forwarded_for, expected):
    assert client_address(peer, forwarded_for, OURS) == expected


ADDRESSES = st.ip_addresses().map(str)
STRANGERS = ADDRESSES.filter(lambda address: not is_trusted(address, OURS))
PROXIES = st.ip_addresses(network="10.0.0.0/8").map(str)


@given(forged=st.text(max_size=60), real=STRANGERS, behind=st.lists(PROXIES, max_size=3), peer=PROXIES)
def test_what_a_visitor_writes_into_the_header_changes_nothing(forged, real, behind, peer):
    assert client_address(peer, ",".join([forged, real, *behind]), OURS) == real


@given(peer=STRANGERS, header=st.text(max_size=60))
def test_the_header_of_a_stranger_is_not_read(peer, header):
    assert client_address(peer, header, OURS) == peer


@given(peer=st.none() | st.text(max_size=20), header=st.text(max_size=60))
def test_without_trusted_proxies_the_peer_is_the_visitor_whatever_it_is(peer, header):
    assert client_address(peer, header, ()) == peer


@pytest.mark.parametrize(
    "address", [None, "", "localhost", "10.0.0.5/8", "10.0.0", "010.0.0.5", "１０.0.0.5", "10.0.0.5 "]
)
def test_what_is_no_address_is_no_proxy(address):
    assert not is_trusted(address, OURS)


@pytest.mark.parametrize(
    ("cookie", "fbp", "fbc"),
    [
        ("", None, None),
        (f"_fbp={FBP}", FBP, None),
        (f"a=1; _fbp={FBP}; _fbc=fb.1.1.X", FBP, "fb.1.1.X"),
        (f"_fbp={FBP};_fbc=fb.1.1.X", FBP, "fb.1.1.X"),
        (f'_fbp="{FBP}"', FBP, None),
        (f"_fbp={FBP}; _fbp=fb.1.2.another", FBP, None),
        ("_fbp=", None, None),
        ("_fbp", None, None),
        (f"x_fbp={FBP}; _fbpx=1; _FBP=2", None, None),
        (f'bad[name]={{"a":1}}; é=ü; =; ;; _fbp={FBP}', FBP, None),
        ("_fbc=fb.1.1.A=B", None, "fb.1.1.A=B"),
    ],
)
def test_the_two_cookies_are_found_whatever_stands_beside_them(cookie, fbp, fbc):
    facts = request_facts({"cookie": cookie}, VISITOR)
    assert (facts.fbp, facts.fbc) == (fbp, fbc)


TOKENS = st.text("abcXYZ019.-", min_size=1, max_size=12)


@given(cookies=st.dictionaries(st.sampled_from(["_fbp", "_fbc", "session", "a.b"]), TOKENS, min_size=1))
def test_of_well_formed_cookies_pythons_own_parser_finds_the_same(cookies):
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    theirs = {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    assume(theirs == cookies)
    facts = request_facts({"cookie": header}, VISITOR)
    assert (facts.fbp, facts.fbc) == (theirs.get("_fbp"), theirs.get("_fbc"))


def test_the_page_is_the_referer_unless_the_door_knows_better():
    headers = {"referer": "https://shop.example/a", "origin": "https://shop.example", "user-agent": "Mozilla/5.0"}
    facts = request_facts(headers, VISITOR)
    assert (facts.url, facts.origin, facts.client_user_agent) == (
        "https://shop.example/a",
        "https://shop.example",
        "Mozilla/5.0",
    )
    assert request_facts(headers, VISITOR, url="https://shop.example/b").url == "https://shop.example/b"
    empty = request_facts(dict.fromkeys(headers, ""), VISITOR)
    assert (empty.url, empty.origin, empty.client_user_agent, empty.referrer) == (None, None, None, None)


@pytest.mark.parametrize(("value", "heard"), [("1", True), (" 1 ", True), ("0", False), ("", False), ("true", False)])
def test_global_privacy_control_is_the_number_one_and_nothing_else(value, heard):
    assert request_facts({"sec-gpc": value}, VISITOR).gpc is heard
    assert request_facts({}, VISITOR).gpc is False


NAMES = st.sampled_from(["cookie", "user-agent", "referer", "origin", "sec-gpc", "x-forwarded-for"])


@given(headers=st.dictionaries(NAMES, st.text(max_size=40)), peer=st.none() | ADDRESSES)
def test_no_header_makes_it_fail(headers, peer):
    facts = request_facts(headers, peer, OURS)
    assert facts.client_ip_address == peer or is_trusted(peer, OURS)
    assert facts.consent is None, "no header is a consent"


def test_names_of_headers_may_have_any_case_as_frameworks_hand_them_over():
    headers = {
        "User-Agent": "Mozilla/5.0",
        "COOKIE": f"_fbp={FBP}",
        "Sec-GPC": "1",
        "X-Forwarded-For": VISITOR,
        "1": "",
    }
    assert request_facts(headers, "10.0.0.5", OURS) == request_facts(
        {k.lower(): v for k, v in headers.items()}, "10.0.0.5", OURS
    )
    facts = request_facts(headers, "10.0.0.5", OURS)
    assert (facts.client_user_agent, facts.fbp, facts.gpc, facts.client_ip_address) == (
        "Mozilla/5.0",
        FBP,
        True,
        VISITOR,
    )


@pytest.mark.parametrize(
    ("name", "told", "peer", "expected"),
    [
        ("cf-connecting-ip", VISITOR, "10.0.0.5", VISITOR),
        ("cf-connecting-ip", "2606:4700::1111", "10.0.0.5", "2606:4700::1111"),
        ("cloudfront-viewer-address", f"{VISITOR}:46532", "10.0.0.5", VISITOR),
        ("cloudfront-viewer-address", "2606:4700::1111:46532", "10.0.0.5:443", "2606:4700::1111"),
        ("cf-connecting-ip", VISITOR, "203.0.113.9", "203.0.113.9"),
        ("cf-connecting-ip", "é", "10.0.0.5", "8.8.4.4"),
        ("cf-connecting-ip", "", "10.0.0.5", "8.8.4.4"),
        ("", VISITOR, "10.0.0.5", "8.8.4.4"),
    ],
)
def test_a_header_of_the_viewer_is_read_from_trusted_peers_alone(name, told, peer, expected):
    headers = {name or "cf-connecting-ip": told, "x-forwarded-for": "8.8.4.4"}
    assert request_facts(headers, peer, OURS, viewer_header=name).client_ip_address == expected
