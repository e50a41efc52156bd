"""Which browser and which click: verbatim, never re-cased, and as Meta's own Parameter Builder finds them."""

from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from capi_param_builder import ParamBuilder
from hypothesis import assume, given
from hypothesis import strategies as st

from conversion_relay.meta.click_id import (
    COOKIE_SECONDS,
    LONGEST_CLICK_ID,
    click_of,
    cookie_line,
    fbc_from_url,
    new_fbp,
)
from conversion_relay.meta.customer_information.identifier import normalize_fbc, normalize_fbp

NOW = 1_596_403_881.668
KNOWN = "fb.1.1554763741205.IwAR2F4-dbP0"
CLICKS = st.text("abcXYZ019-_", min_size=1, max_size=80)
TIMES = st.floats(1e9, 4e9)


@pytest.mark.parametrize(
    ("url", "known", "expected"),
    [
        ("https://shop.example/?fbclid=AbC", None, "fb.1.1596403881668.AbC"),
        ("https://shop.example/?utm_source=fb&fbclid=AbC&x=1#top", None, "fb.1.1596403881668.AbC"),
        ("/relative?fbclid=AbC", None, "fb.1.1596403881668.AbC"),
        ("https://shop.example/?fbclid=AbC&fbclid=DeF", None, "fb.1.1596403881668.DeF"),
        ("https://bücher.example/kurse/töpfern?fbclid=AbC", None, "fb.1.1596403881668.AbC"),
        ("https://shop.example/?fbclid=IwAR2F4-dbP0", KNOWN, KNOWN),
        ("https://shop.example/?fbclid=IwAR2F4-dbP0", f"{KNOWN}.AQICAQMC", f"{KNOWN}.AQICAQMC"),
        ("https://shop.example/?fbclid=iwar2f4-dbp0", KNOWN, "fb.1.1596403881668.iwar2f4-dbp0"),
        ("https://shop.example/", KNOWN, KNOWN),
        ("", KNOWN, KNOWN),
        (None, KNOWN, KNOWN),
        (None, None, None),
        ("https://shop.example/?fbclid=", None, None),
        ("https://shop.example/?fbclid=-&x=1", None, None),
        ("https://shop.example/?fbclid=a.b", None, None),
        ("https://shop.example/?fbclid=a%20b", None, None),
        ("https://shop.example/?fbclid=%C3%A4", None, None),
        ("https://shop.example/?fbclid=%D9%A1%D9%A2", None, None),
        ("https://shop.example/?fbclid=<script>", KNOWN, KNOWN),
        ("https://shop.example/?fbclid=joe%40example.com", KNOWN, KNOWN),
        ("https://shop.example/#?fbclid=AbC", None, None),
        ("https://shop.example/fbclid=AbC", None, None),
        ("https://shop.example/?xfbclid=AbC", None, None),
        ("https://[::1?fbclid=AbC", KNOWN, KNOWN),
        ("https://shop.example/?fbclid=AbC&utm_campaign=LAL%201%25&ad_id={{ad.id}}#é", None, "fb.1.1596403881668.AbC"),
        ("https://shop.example/?%66bclid=AbC&fbclid=DeF", "fb.1.1596403881668.AbC", "fb.1.1596403881668.AbC"),
        ("https://shop.example/?fbclid=AbC&%66bclid=DeF", None, "fb.1.1596403881668.DeF"),
        ("https://shop.example/?fb%63%6Cid=AbC&utm_source=fb", None, "fb.1.1596403881668.AbC"),
        ("https://shop.example/?fbclid=AbC&x=1;fbclid=DeF", None, "fb.1.1596403881668.AbC"),
    ],
)
def test_a_click_in_the_url_makes_an_id_unless_it_is_the_one_that_is_known(url, known, expected):
    assert fbc_from_url(url, NOW, known=known) == expected


def test_a_click_id_has_at_most_500_characters():
    longest = "x" * LONGEST_CLICK_ID
    assert fbc_from_url(f"https://a.example/?fbclid={longest}", NOW) == f"fb.1.1596403881668.{longest}"
    assert fbc_from_url(f"https://a.example/?fbclid={longest}x", NOW) is None


def test_of_several_clicks_in_one_url_the_one_that_the_page_knows_stays():
    url, first = "https://a.example/?fbclid=First1&x=1&fbclid=Second2", "fb.1.1596403881668.First1"
    assert fbc_from_url(url, NOW, known=first) == first
    assert (
        click_of(fbc_from_url(url, NOW))
        == click_of(fbc_from_url(url, NOW, known="fb.1.1596403881668.Old3"))
        == "Second2"
    )


def by_the_book(url: str) -> str | None:
    """The last click of the query, as urllib reads it."""
    clicks = [click for name, click in parse_qsl(urlsplit(url).query) if name in ("fbclid", "amp;fbclid")]
    made = [click for click in clicks if normalize_fbc(f"fb.1.1596403881668.{click}") == f"fb.1.1596403881668.{click}"]
    return next((click for click in reversed(made) if click.strip("-_")), None)


NAMES = st.sampled_from(
    ["fbclid", "fbclid", "%66bclid", "fbcli%64", "amp;fbclid", "utm_campaign", "x[]", "a+b", "é", ""]
)
MEMBERS = st.tuples(
    NAMES, st.sampled_from(["AbC", "De-F_1", "a%20b", "%41bc", "x=y", "", "null"]) | st.text(max_size=8)
)


@given(members=st.lists(MEMBERS, max_size=5), between=st.sampled_from(["&", "&", ";", "&&"]))
def test_the_click_is_the_one_that_the_query_has_by_the_book(members, between):
    query = between.join(f"{name}={value}" for name, value in members)
    assume(not {"\t", "\r", "\n"} & set(query))  # urlsplit takes these out
    url = f"https://a.example/p?{query}"
    assert click_of(fbc_from_url(url, NOW)) == by_the_book(url)


@given(url=st.text(max_size=80), known=st.none() | st.text(max_size=40), now=TIMES)
def test_any_text_at_all_is_a_url_or_none(url, known, now):
    answer = fbc_from_url(f"https://a.example/?fbclid={url}", now, known=known)
    assert answer is None or normalize_fbc(answer) == answer


@given(click=CLICKS, now=TIMES, index=st.integers(0, 4))
def test_what_is_built_is_what_meta_takes_and_the_click_is_in_it_letter_by_letter(click, now, index):
    assume(click.strip("-_"))
    fbc = fbc_from_url("https://a.example/?" + urlencode({"fbclid": click}), now, subdomain_index=index)
    assert normalize_fbc(fbc) == fbc
    assert click_of(fbc) == click
    assert fbc.split(".")[1:3] == [str(index), str(int(now * 1000))]
    assert fbc_from_url(f"https://a.example/?fbclid={quote(click)}", now + 60, known=fbc) == fbc, "the time stands"


@given(before=st.lists(st.text("a?&=#[;%", max_size=5), max_size=3).map("&".join), click=CLICKS | st.text(max_size=9))
def test_it_makes_no_difference_whether_the_click_stands_last(before, click):
    assume("#" not in click)
    for url in (f"https://shop.example/{before}?fbclid={click}", f"https://a.de/?{before}&fbclid={click}"):
        assert fbc_from_url(url, 1.7e9) == fbc_from_url(f"{url}&x=1", 1.7e9) == fbc_from_url(f"{url}&x=%41", 1.7e9)


@given(click=CLICKS, known=st.none() | CLICKS)
def test_metas_own_parameter_builder_finds_the_same_click(click, known):
    assume(click.strip("-_") and (known is None or known.strip("-_")))
    cookies = {"_fbc": f"fb.1.1554763741205.{known}"} if known else {}
    builder = ParamBuilder(["shop.example"])
    builder.process_request("shop.example", {"fbclid": [click]}, cookies)
    theirs = builder.get_fbc()
    ours = fbc_from_url(f"https://shop.example/?fbclid={click}", NOW, known=cookies.get("_fbc"))
    assert click_of(theirs) == click_of(ours) == click
    assert (ours == cookies.get("_fbc")) == (known == click), "only another click makes another id"


@given(now=TIMES, number=st.integers(0, 2**31 - 1), index=st.integers(0, 4))
def test_a_browser_id_is_what_meta_takes(now, number, index):
    fbp = new_fbp(now, number, subdomain_index=index)
    assert normalize_fbp(fbp) == fbp
    assert fbp == f"fb.{index}.{int(now * 1000)}.{number}"


@pytest.mark.parametrize(
    ("fbc", "click"),
    [
        (None, None),
        ("", None),
        ("fb.1.2", None),
        ("fb.1.2.A", "A"),
        ("fb.1.2.A.AQICAQMC", "A"),
        ("fb.1.2.A.B.C", None),
        ("....", ""),
    ],
)
def test_the_click_is_the_fourth_segment_and_never_the_appendix(fbc, click):
    assert click_of(fbc) == click


@pytest.mark.parametrize("domain", [None, "shop.example", "shop.co.uk"])
@pytest.mark.parametrize("is_secure", [True, False])
def test_the_cookie_is_one_that_the_pixel_can_read_and_that_lasts_90_days(domain, is_secure):
    (cookie,) = SimpleCookie(cookie_line("_fbc", KNOWN, domain=domain, is_secure=is_secure)).values()
    assert (cookie.key, cookie.value, cookie["path"], cookie["samesite"]) == ("_fbc", KNOWN, "/", "Lax")
    assert int(cookie["max-age"]) == COOKIE_SECONDS == 7_776_000
    assert cookie["domain"] == (domain or "") and bool(cookie["secure"]) == is_secure and not cookie["httponly"]


@pytest.mark.parametrize(
    "known",
    [
        "fb.1.1596403881.AbC",
        "fb.1.1596403881668.AbC.test",
        "fb.1.1596403881668.AbC.undefined",
        "null",
        "AbC",
        "",
        "fb.1.1596403881668.undefined",
        "fb.1.1596403881668.null",
        "fb.1.1596403881668.None",
    ],
)
def test_a_cookie_that_cannot_be_read_hides_no_click(known):
    assert fbc_from_url("https://shop.example/?fbclid=AbC", NOW, known=known) == "fb.1.1596403881668.AbC"
    assert fbc_from_url("https://shop.example/", NOW, known=known) is None


@pytest.mark.parametrize("click", ["undefined", "null", "None", "%7B%7Bclick%7D%7D", "NaN"])
def test_a_word_for_nothing_is_no_click(click):
    assert fbc_from_url(f"https://shop.example/?fbclid={click}", NOW) is None
    assert fbc_from_url(f"https://shop.example/?fbclid=AbC&amp;fbclid={click}", NOW) == "fb.1.1596403881668.AbC"


def test_an_escaped_ampersand_hides_no_click():
    assert fbc_from_url("https://shop.example/?a=1&amp;fbclid=AbC", NOW) == "fb.1.1596403881668.AbC"
