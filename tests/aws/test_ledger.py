"""The ledger of purchases over a table: who may send a purchase, and what is remembered of it."""

from itertools import count

import pytest

from conversion_relay.aws import AwsError
from conversion_relay.aws.ledger import MARGIN_SECONDS, PurchaseLedger
from tests.aws.moto_server import aws_calls, make_table
from tests.aws.table import Table

pytestmark = pytest.mark.xdist_group("aws")
NOW, DAY = 1_795_435_200.0, 86_400
KEY = ("1232612085335834", "Purchase", "purchase_canary-order")
_numbers = count()


@pytest.fixture(scope="module")
def calls():
    with aws_calls() as calls:
        yield calls


@pytest.fixture
def table(calls):
    return make_table(calls, f"purchases{next(_numbers)}")


@pytest.fixture
def ledger(calls, table):
    return PurchaseLedger(calls, table)


def claim(ledger: PurchaseLedger, now: float, *, by: str = "first", key=KEY, seconds: float = 60.0):
    return ledger.claim(key, now, by=by, ends_at=now + seconds)


def test_the_first_to_claim_sends_and_the_second_leaves_it(ledger):
    assert claim(ledger, NOW) == ("ours", None)
    assert claim(ledger, NOW + 1, by="second") == ("elsewhere", None)


@pytest.mark.parametrize("field", [0, 1, 2])
def test_a_purchase_is_known_by_dataset_name_and_id(ledger, field):
    other = tuple(f"{text}x" if n == field else text for n, text in enumerate(KEY))
    claim(ledger, NOW)
    ledger.mark_sent([KEY], NOW)
    assert claim(ledger, NOW, by="second") == ("sent", None)
    assert claim(ledger, NOW, by="second", key=other) == ("ours", None)


@pytest.mark.parametrize("seconds", [60, 900])
def test_a_claim_lasts_until_its_function_has_ended_and_runs_out_then(ledger, seconds):
    claim(ledger, NOW, seconds=seconds)
    assert claim(ledger, NOW + seconds + MARGIN_SECONDS, by="second")[0] == "elsewhere"
    # The first may have sent it before it died.
    assert claim(ledger, NOW + seconds + MARGIN_SECONDS + 1, by="second") == ("ours", NOW)


def test_a_claim_whose_answer_was_lost_is_ones_own_when_it_is_repeated(ledger):
    claim(ledger, NOW)
    assert claim(ledger, NOW)[0] == "ours"


def test_what_meta_has_is_never_sent_again(ledger):
    claim(ledger, NOW)
    ledger.mark_sent([KEY], NOW)
    for days in (0, 2, 30, 89):
        assert claim(ledger, NOW + days * DAY, by="second") == ("sent", None)


def test_what_was_not_sent_is_free_at_once(ledger):
    claim(ledger, NOW)
    ledger.let_go([KEY], NOW, by="first", maybe=False)
    assert claim(ledger, NOW, by="second") == ("ours", None)


def test_what_meta_may_have_is_free_and_remembers_since_when(ledger):
    for hours in (0, 1, 30):
        assert claim(ledger, NOW + hours * 3_600)[0] == "ours"
        ledger.let_go([KEY], NOW + hours * 3_600, by="first", maybe=True)
    # The first time counts: Meta forgets from then on.
    assert claim(ledger, NOW + 40 * 3_600, by="second") == ("ours", NOW)


@pytest.mark.parametrize("maybe", [False, True])
def test_who_is_slow_does_not_free_what_another_is_sending(ledger, maybe):
    claim(ledger, NOW)
    later = NOW + 60 + MARGIN_SECONDS + 1
    claim(ledger, later, by="second")
    ledger.let_go([KEY], later, by="first", maybe=maybe)
    assert claim(ledger, later, by="third") == ("elsewhere", None)
    ledger.let_go([KEY], later, by="second", maybe=True)
    assert claim(ledger, later, by="third") == ("ours", NOW)


def test_a_later_answer_of_meta_settles_a_maybe(ledger):
    claim(ledger, NOW)
    ledger.let_go([KEY], NOW, by="first", maybe=True)
    ledger.mark_sent([KEY], NOW + 60)
    assert claim(ledger, NOW + 61, by="second")[0] == "sent"


def test_marking_twice_is_marking_once(ledger):
    """A function may die after the mark and before Lambda hears of it."""
    claim(ledger, NOW)
    for _ in range(2):
        ledger.mark_sent([KEY], NOW)
    assert claim(ledger, NOW, by="second")[0] == "sent"


def test_an_item_expires_and_names_no_order(calls, table, ledger):
    claim(ledger, NOW)
    (item,) = calls.call("dynamodb", "DynamoDB_20120810.Scan", {"TableName": table})["Items"]
    assert int(item["expires_at"]["N"]) == NOW + 90 * DAY
    assert "canary" not in str(item)


def test_a_table_that_is_not_there_is_no_answer(calls):
    with pytest.raises(AwsError):
        claim(PurchaseLedger(calls, "nowhere"), NOW)


def test_the_tests_own_table_answers_as_dynamodb_does(ledger):
    """`interleaved.py` stands on it."""

    class Calls:
        def __init__(self) -> None:
            self.table = Table()

        def call(self, service, target, body):
            return self.table.call(target.rpartition(".")[2], body)

    def story(ledger):
        later = NOW + 91
        yield claim(ledger, NOW), claim(ledger, NOW, by="second")
        ledger.let_go([KEY], NOW, by="second", maybe=False)
        yield claim(ledger, NOW + 1, by="second"), claim(ledger, later, by="second")
        ledger.let_go([KEY], later, by="second", maybe=True)
        yield claim(ledger, later, by="third")
        ledger.let_go([KEY], later, by="third", maybe=False)
        yield claim(ledger, later, by="fourth")
        ledger.mark_sent([KEY], later)
        yield claim(ledger, later + DAY)

    assert list(story(PurchaseLedger(Calls(), "x"))) == list(story(ledger))
