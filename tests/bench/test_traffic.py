"""The traffic of the bench: repeatable, long-tailed, and such that the product takes every event of it."""

import ipaddress
import json
from collections import Counter
from itertools import islice
from urllib.parse import urlsplit

import pytest

from bench import traffic
from conversion_relay import Relay, Settings
from conversion_relay.event import SealedEvent

NOW = 1_795_435_200.0
N = 2_000


def events(shape: str, seed: int = 1) -> list[dict]:
    return list(islice(traffic.events(seed, shape, NOW), N))


@pytest.fixture(scope="module")
def site() -> list[dict]:
    return events("site")


@pytest.mark.parametrize("shape", traffic.SHAPES)
def test_a_seed_always_draws_the_same_people_and_another_seed_draws_others(shape):
    first = traffic.documents(50, seed=1, shape=shape, now=NOW)
    assert traffic.documents(50, seed=1, shape=shape, now=NOW) == first
    assert traffic.documents(50, seed=2, shape=shape, now=NOW) != first


@pytest.mark.parametrize("shape", traffic.SHAPES)
def test_the_product_takes_every_event(shape):
    relay = Relay(Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x"}), clock=lambda: NOW)
    refused = [
        one for raw in traffic.documents(N, seed=3, shape=shape, now=NOW) if not _is_sealed(one := relay.seal(raw))
    ]
    assert refused == []


def _is_sealed(found: object) -> bool:
    return isinstance(found, SealedEvent) and found.event_id.startswith(traffic.ID_MARK.decode())


def test_people_do_not_repeat_and_write_in_many_alphabets(site):
    told = [event["user_data"] for event in site if "email" in event["user_data"]]
    assert len({person["email"] for person in told}) > 0.99 * len(told)
    assert any("+" in person["email"].partition("@")[0] for person in told)
    letters = "".join(person.get("first_name", "") for person in told)
    for begin, end in (("α", "ω"), ("а", "я"), ("א", "ת"), ("ء", "ي"), ("一", "鿿"), ("가", "힣"), ("à", "ÿ")):
        assert any(begin <= letter <= end for letter in letters), begin
    assert len({person["country"].upper() for person in told if "country" in person}) >= 10
    assert (
        len({"".join("9" if c.isdigit() else c for c in person["phone"]) for person in told if "phone" in person}) > 50
    )


def test_browsers_and_networks_have_a_head_and_a_long_tail(site):
    browsers = Counter(event["user_data"]["client_user_agent"] for event in site)
    assert browsers.most_common(1)[0][1] > N / 100 and len(browsers) > N / 4
    addresses = [ipaddress.ip_address(event["user_data"]["client_ip_address"]) for event in site]
    assert 0.25 < sum(address.version == 6 for address in addresses) / N < 0.45
    assert all(address.is_global for address in addresses)
    assert len(set(addresses)) > 0.9 * N


def test_campaign_urls_have_click_ids_and_odd_encodings(site):
    urls = [event["event_source_url"] for event in site]
    queries = [urlsplit(url).query for url in urls]
    assert 0.1 < sum("fbclid=" in query for query in queries) / N < 0.6
    assert 0.1 < sum("utm_campaign=" in query for query in queries) / N < 0.6
    for odd in ("%25", "+", "%zz", "{{"):
        assert any(odd in query for query in queries), odd
    assert len(set(urls)) > N / 2


def test_baskets_hold_nothing_to_twenty_lines(site):
    sizes = Counter(len((event.get("custom_data") or {}).get("contents", [])) for event in site)
    assert min(sizes) == 0 and max(sizes) == 20 and len(sizes) > 10
    assert len({event["event_name"] for event in site}) >= 12


def test_the_second_shape_brings_digests_and_lists():
    several = [event["user_data"] for event in events("container")]
    assert all(isinstance(person["external_id"], list) for person in several)
    digests = [person["em"][0] for person in several if "em" in person]
    assert len(digests) > N / 3 and all(len(digest) == 64 for digest in digests)


def test_the_third_shape_brings_pages_among_the_properties_and_nulls():
    several = [event["custom_data"] for event in events("plugin")]
    assert all(urlsplit(custom["landing_page"]).hostname for custom in several)
    assert any(None in custom.values() for custom in several)
    for odd in ("%5B", "%7B%7B", "%E2%80%93", "%3A"):
        assert any(odd in custom["landing_page"] for custom in several), odd


def test_each_event_id_has_a_place_that_a_load_generator_can_fill(site):
    for raw in traffic.documents(200, seed=1, now=NOW):
        assert raw.count(traffic.ID_MARK) == 1
        number = raw.partition(traffic.ID_MARK)[2][: traffic.ID_DIGITS]
        assert int(number, 16) and json.loads(raw)["event_id"].encode() == traffic.ID_MARK + number
