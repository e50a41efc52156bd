"""What a page or a backend says of a visitor, where it is a word for nothing: POST /visitors, end to end."""

import json

import apsw
import pytest

from tests.processes import API_KEY, call, installation

pytestmark = pytest.mark.xdist_group("the collector")
FBP, FBC = "fb.1.1596403881668.1116446470", "fb.1.1596403881668.IwAR2F4"
PAGE = {
    "Origin": "https://shop.example",
    "User_Agent": "Mozilla/5.0 (the visitor's)",
    "X_Forwarded_For": "8.8.4.4",
    "Cookie": f"_fbp={FBP}; _fbc={FBC}",
}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with installation(tmp_path_factory.mktemp("words")) as here:
        here.env["RELAY_TRUSTED_PROXIES"] = "127.0.0.1/32"
        here.start("--no-worker")
        yield here


@pytest.mark.parametrize("word", ["undefined", "null", "fb.1.2.3"])
def test_a_word_for_nothing_does_not_hide_what_the_request_shows(here, word):
    order = f"order-{len(word)}"
    said = {"key": order, "fbp": word, "fbc": word}
    if word != "fb.1.2.3":
        said["client_user_agent"] = word
    assert call("POST", f"{here.url}/visitors", said, **PAGE)[0] == 202
    event = {"event_name": "Lead", "event_id": f"lead_{order}", "user_data": {"email": "jane@example.org"}}
    assert call("POST", f"{here.url}/events", event, Authorization=f"Bearer {API_KEY}")[0] == 202
    with apsw.Connection(str(here.database), flags=apsw.SQLITE_OPEN_READONLY) as db:
        find = "SELECT body FROM body JOIN event USING (key) WHERE event_id = ?"
        ((body,),) = db.execute(find, (event["event_id"],)).fetchall()
    person = json.loads(body)["user_data"]
    assert (person.get("fbp"), person.get("fbc"), person.get("client_user_agent")) == (FBP, FBC, PAGE["User_Agent"])


@pytest.mark.parametrize("key", ["undefined", "order-null", "{{Order ID}}", "  "])
def test_nobody_is_remembered_under_what_stands_where_an_order_has_no_id(here, key):
    """One visitor would stand behind everybody's."""
    status, refused = call("POST", f"{here.url}/visitors", {"key": key}, **PAGE)
    assert (status, refused["field"]) == (400, "key")
