"""The ledger of purchases over a table: who may send a purchase, and what is remembered of it."""

from itertools import count

import pytest

from conversion_relay.aws import AwsError
from conversion_relay.aws.ledger import CLAIM_SECONDS, PurchaseLedger
from tests.aws.moto_server import aws_calls, make_table

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


def test_the_first_to_claim_sends_and_the_second_leaves_it(ledger):
    assert ledger.claim(KEY, NOW) == ("ours", None)
    assert ledger.claim(KEY, NOW + 1) == ("elsewhere", None)


@pytest.mark.parametrize("field", [0, 1, 2])
def test_a_purchase_is_known_by_dataset_name_and_id(ledger, field):
    other = tuple(f"{text}x" if n == field else text for n, text in enumerate(KEY))
    ledger.claim(KEY, NOW)
    ledger.mark_sent([KEY], NOW)
    assert ledger.claim(KEY, NOW) == ("sent", None) and ledger.claim(other, NOW) == ("ours", None)


def test_a_claim_whose_function_died_runs_out(ledger):
    ledger.claim(KEY, NOW)
    assert ledger.claim(KEY, NOW + CLAIM_SECONDS)[0] == "elsewhere"
    assert ledger.claim(KEY, NOW + CLAIM_SECONDS + 1)[0] == "ours"


def test_what_meta_has_is_never_sent_again(ledger):
    ledger.claim(KEY, NOW)
    ledger.mark_sent([KEY], NOW)
    for days in (0, 2, 30, 89):
        assert ledger.claim(KEY, NOW + days * DAY) == ("sent", None)


def test_what_was_not_sent_is_free_at_once(ledger):
    ledger.claim(KEY, NOW)
    ledger.let_go([KEY], NOW)
    assert ledger.claim(KEY, NOW) == ("ours", None)


def test_what_meta_may_have_is_free_and_remembers_since_when(ledger):
    for hours in (0, 1, 30):
        assert ledger.claim(KEY, NOW + hours * 3_600)[0] == "ours"
        ledger.mark_maybe([KEY], NOW + hours * 3_600)
    assert ledger.claim(KEY, NOW + 40 * 3_600) == ("ours", NOW), "the first time counts: Meta forgets from then on"


def test_a_later_answer_of_meta_settles_a_maybe(ledger):
    ledger.claim(KEY, NOW)
    ledger.mark_maybe([KEY], NOW)
    ledger.mark_sent([KEY], NOW + 60)
    assert ledger.claim(KEY, NOW + 61)[0] == "sent"


def test_marking_twice_is_marking_once(ledger):
    """A function may die after the mark and before Lambda hears of it."""
    ledger.claim(KEY, NOW)
    for _ in range(2):
        ledger.mark_sent([KEY], NOW)
    assert ledger.claim(KEY, NOW)[0] == "sent"


def test_an_item_expires_and_names_no_order(calls, table, ledger):
    ledger.claim(KEY, NOW)
    (item,) = calls.call("dynamodb", "DynamoDB_20120810.Scan", {"TableName": table})["Items"]
    assert int(item["expires_at"]["N"]) == NOW + 90 * DAY
    assert "canary" not in str(item)


def test_a_table_that_is_not_there_is_no_answer(calls):
    with pytest.raises(AwsError):
        PurchaseLedger(calls, "nowhere").claim(KEY, NOW)
