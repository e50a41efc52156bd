"""Nobody's address travels in a URL, and what is needed stays."""

from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversion_relay.intake.scrub import QUERY_KEYS, careful_url, quick_url, scrub_page, scrub_url
from conversion_relay.personal_data import held

EMAIL = "canary.person@example.org"


@pytest.mark.parametrize(
    ("url", "scrubbed"),
    [
        ("https://shop.example/", "https://shop.example/"),
        ("https://shop.example", "https://shop.example"),
        ("  https://shop.example/a  ", "https://shop.example/a"),
        ("https://shop.example:8443/a/b.html", "https://shop.example:8443/a/b.html"),
        ("https://user:secret@shop.example/a", "https://shop.example/a"),
        ("https://a@b@shop.example/a", "https://shop.example/a"),
        ("https://shop.example/a?reset_token=s3cret#s3cret", "https://shop.example/a"),
        (
            "https://shop.example/a?utm_source=fb&session=1&fbclid=AbC",
            "https://shop.example/a?utm_source=fb&fbclid=AbC",
        ),
        ("https://shop.example/?UTM_SOURCE=fb", "https://shop.example/"),
        ("https://shop.example/?utm%5Fid=7&q=1", "https://shop.example/?utm_id=7"),
        (f"https://shop.example/?utm_term={EMAIL}&utm_id=7", "https://shop.example/?utm_id=7"),
        ("https://shop.example/?utm_term=joe%40example.com", "https://shop.example/"),
        (f"https://shop.example/thanks/{EMAIL}/2", "https://shop.example/thanks/-/2"),
        ("https://shop.example/thanks/joe%40example.com", "https://shop.example/thanks/-"),
        ("https://bücher.example/töpfern?q=1", "https://bücher.example/töpfern"),
        ("https://[2606:4700::1111]/a?x=1", "https://[2606:4700::1111]/a"),
        ("android-app://com.shop/http/a?x=1", "android-app://com.shop/http/a"),
        ("HTTPS://shop.example/a?x=1", "https://shop.example/a"),
        ("http://localhost:8000/a", "http://localhost:8000/a"),
        ("https://shop.example/a ?x=1", "https://shop.example/a"),
        ("https://shop.example/a #top", "https://shop.example/a"),
        (
            "https://shop.example/thanks/joe&#64;example.org?utm_term=joe&#x40;example.org",
            "https://shop.example/thanks/-",
        ),
        ("https://shop.example/?utm_id=7&amp;utm_term=a", "https://shop.example/?utm_id=7&utm_term=a"),
        ("https://shop.example/?utm_id=7&amp;amp;utm_term=a", "https://shop.example/?utm_id=7&utm_term=a"),
        (
            "https://shop.example/thanks/joe&amp;#64;example.org?utm_term=joe&amp;amp;#x40;example.org",
            "https://shop.example/thanks/-",
        ),
        (f"https://shop.example/joe&{'amp;' * 9}#64;example.org", None),
        ("https://shop.example/call/+16505551212/00493012345678", "https://shop.example/call/-/-"),
        ("https://shop.example/call/0049301234567", "https://shop.example/call/-"),
        ("https://shop.example/?utm_term=+16505551212&utm_id=summer+2026", "https://shop.example/?utm_id=summer+2026"),
        ("https://shop.example/email=x;a/first_name=joe/size=L", "https://shop.example/-/-/size=L"),
    ],
)
def test_of_a_url_leaves_what_says_where_and_which_campaign(url, scrubbed):
    assert scrub_url(url) == scrubbed


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "   ",
        "shop.example/a",
        "//shop.example/a",
        "/a",
        "about:blank",
        "javascript:alert(1)//https://shop.example",
        "data:text/html,x",
        "file:///etc/passwd",
        f"mailto:{EMAIL}",
        "ftp://shop.example/",
        "https://",
        "https:///a",
        "https://user@/a",
        "https://[::1",
        "https:// ?x=1",
        "https://shop.example/\x00",
    ],
)
def test_what_is_no_page_is_no_url(url):
    assert scrub_url(url) is None


PARTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@given(
    user=st.sampled_from(["", f"{quote(EMAIL)}:pw@", "joe@"]),
    path=st.lists(st.one_of(PARTS.map(quote), st.sampled_from([EMAIL, quote(EMAIL)])), max_size=3),
    query=st.lists(
        st.tuples(st.one_of(st.sampled_from(sorted(QUERY_KEYS)), PARTS), PARTS | st.just(EMAIL)), max_size=5
    ),
    fragment=st.sampled_from(["", "top", EMAIL]),
)
def test_no_part_of_a_url_carries_an_address_out_and_scrubbing_again_changes_nothing(user, path, query, fragment):
    url = f"https://{user}shop.example/{'/'.join(path)}?{urlencode(query)}#{fragment}"
    scrubbed = scrub_url(url)
    assert scrubbed is not None and "canary" not in scrubbed and held(scrubbed) != "email"
    assert scrub_url(scrubbed) == scrubbed
    parts = urlsplit(scrubbed)
    assert (parts.netloc, parts.fragment) == ("shop.example", "")
    assert {name for name, _ in parse_qsl(parts.query)} <= QUERY_KEYS


@given(values=st.dictionaries(st.sampled_from(sorted(QUERY_KEYS)), st.text("aZ09 äß+&=%/?", min_size=1, max_size=8)))
def test_campaign_names_of_any_letters_arrive_as_they_were_meant(values):
    scrubbed = scrub_url("https://shop.example/?" + urlencode({"q": "x"} | values))
    assert dict(parse_qsl(urlsplit(scrubbed).query)) == values


@given(text=st.text(max_size=60))
def test_any_text_is_a_url_without_an_address_or_none_and_scrubbing_again_changes_nothing(text):
    for url in (text, f"https://{text}", f"https://shop.example/{text}", f"https://shop.example/{text}?x=1#y"):
        scrubbed = scrub_url(url)
        assert scrub_url(scrubbed) == scrubbed
        assert scrubbed is None or urlsplit(scrubbed).scheme in ("http", "https", "android-app", "ios-app")


PIECES = st.sampled_from(
    [
        *(
            *"/?&=#.-~_:%+@; [",
            "https://",
            "http://",
            "shop.example",
            "wa.me",
            "WA.me",
            "tel:",
            "0049",
            "00",
            "4930123456",
        ),
        *(
            *sorted(QUERY_KEYS),
            "page",
            "phone",
            "email",
            "joe",
            "example.com",
            "amp;",
            "&lt=5",
            "&period",
            "&plus",
            "%40",
        ),
    ]
)


@example(before="https://a.de/", pieces=["?fbclid=%80"])
@given(before=st.sampled_from(["", "https://a.de/"]), pieces=st.lists(PIECES, max_size=14))
def test_where_the_quick_look_answers_it_answers_what_the_careful_one_does(before, pieces):
    url = before + "".join(pieces)
    quick = quick_url(url)
    assert quick is None or (quick == careful_url(url) and held(quick) is None)


LETTERS = st.text(
    st.sampled_from(" +%&=@.,/:;-_()[]{}<>'0049é×“”ßшא抹٣①joeat") | st.characters(codec="utf-8"), max_size=12
)
PERCENTS = st.text("%%%0024bBuéªº٤ +@.ejo", max_size=14)
WRITTEN = LETTERS.map(quote) | LETTERS.map(quote_plus) | LETTERS | st.sampled_from(["+49 30 1234567", "%2B4930123456"])
WRITTEN |= PERCENTS | PERCENTS.map(quote) | LETTERS.map(quote).map(quote) | LETTERS.map(quote).map(quote).map(quote)
QUERIES = st.lists(
    st.tuples(st.sampled_from([*sorted(QUERY_KEYS), "page", "utm%5Fid", "utm+id", "é"]) | LETTERS, WRITTEN), max_size=4
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@settings(max_examples=300)
@given(
    path=st.lists(WRITTEN, max_size=2),
    query=QUERIES,
    fragment=st.sampled_from(["", "#top", "#:~:text=a%20b"]) | WRITTEN,
)
def test_so_it_does_with_campaigns_in_any_letters_and_any_escapes(path, query, fragment):
    url = f"https://shop.example/{'/'.join(path)}?{query}{fragment}"
    quick = quick_url(url)
    assert quick is None or (quick == careful_url(url) and held(quick) is None)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.example.com/courses/course-100?utm_source=fb",
        "https://shop.example/Product_1/?variant=42&fbclid=IwAR2F4-dbP0l7Mn1I_Q&utm_id=120210000000000000#reviews",
        "https://shop.example",
        "http://a-b.shop.example/x.html?q=",
        "https://shop.example/?utm_campaign=Winter/Deals%20141&utm_content=12711023679500409",
        "https://shop.example/en/gr%C3%B6%C3%9Fe/31?utm_campaign=Spring+Sale+18&color=ros%C3%A9&ad_id={{ad.id}}#a b"[
            :-2
        ],
        "https://shop.example/?utm_campaign=LAL%201%25%209&utm_content=50%+off&utm_term=Spring%2520Sale%252014&size=M%2FL",
        "https://shop.example/?xutm_id=7&my_fbclid=AbC&utm_id=7&ratm_term=x&fbclid_=1",
        "https://shop.example/?q=a+b&utm_campaign=%25C3%2589t%25C3%25A9%2520%2526%2520Soleil&utm_term=夏のセール+16",
        "https://shop.example/?utm_campaign=%5BEU%5D%20Prospecting%20%E2%80%93%20LAL%201%25%20%7C%20Purchase&utm_id=7",
        "https://shop.example/?utm_campaign=%7B%7Bcampaign.name%7D%7D&utm_content=C%2B%2B&utm_term=A%40B%20test",
        "https://shop.example/kurs-12%3A-bilanz%21/sql-%26-data/masterclass-%E2%80%9Ccopy%E2%80%9D-%E2%80%93-2/",
        "https://shop.example/size-6.1%22?utm_campaign=%F0%9F%94%A5+Sale+%3C3",
    ],
)
def test_what_most_pages_and_campaigns_have_for_a_url_is_known_to_the_quick_look(url):
    assert quick_url(url) == careful_url(url) == scrub_page("event_source_url", url, [])


@pytest.mark.parametrize(
    "value",
    [
        *(
            "wa%2éme/4930123456",
            "joe%2540example.com",
            "joe%252540example.com",
            "%25252520%40",
            "%u0040joe",
            "50%25%40",
        ),
        *("+4930123%2534", "%2B4930123456", "+49%2030%201%32%33%34", "%25%34%30"),
    ],
)
def test_a_person_behind_a_percent_sign_is_no_campaign(value):
    url = f"https://shop.example/?utm_term={value}"
    quick = quick_url(url)
    assert quick is None or quick == careful_url(url)
    assert held(scrub_url(url) or "") is None


@pytest.mark.parametrize("host", ["wa.me", "WA.ME", "www.Wa.me"])
def test_a_link_to_a_chat_loses_its_number(host):
    assert scrub_url(f"https://{host}/4930123456?utm_source=fb") == f"https://{host}/-?utm_source=fb"
    assert scrub_url(f"https://{host}/message/ABCDEF") == f"https://{host}/message/ABCDEF"
    assert scrub_page("referrer_url", f"https://{host}/4930123456", []) == f"https://{host}/-"


@pytest.mark.parametrize("path", ["wa.m%C3%A9/4930123456", "a/wa.%C3%AA%C3%A9/4930123456"])
def test_nor_is_one_behind_a_letter_with_an_accent_a_page(path):
    url = f"https://shop.example/{path}"
    assert quick_url(url) in (None, careful_url(url))
    assert scrub_url(url) == careful_url(url)


@pytest.mark.parametrize("value", ["first_name=Kanari", "first_name%3DKanari", "a%26phone%253D6505551212"])
def test_nor_is_a_campaign_that_says_what_somebodys_name_is(value):
    assert (
        scrub_url(f"https://shop.example/?utm_source=fb&utm_content={value}") == "https://shop.example/?utm_source=fb"
    )
    assert scrub_url("https://shop.example/?utm_content=plan%3Dgold") == "https://shop.example/?utm_content=plan%3Dgold"
    assert scrub_url("https://shop.example/first_name%3DKanari/2") == "https://shop.example/-/2"
