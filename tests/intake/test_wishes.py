"""A visitor's opt-out that stands beside an event by another program's name."""

import json

import pytest

from conversion_relay.event import Rejection
from conversion_relay.intake.accept import Policy, Submission, accept
from conversion_relay.intake.members import read_members
from conversion_relay.intake.request_facts import RequestFacts

LEAD = {"event_name": "Lead", "user_data": {"em": "joe@example.com"}}


@pytest.mark.parametrize(
    ("name", "said", "is_no"),
    [
        ("do_not_sell", True, True),
        ("doNotSell", "yes", True),
        ("ldu", 1, True),
        ("limited_data_use", "true", True),
        ("us_privacy", "1YYN", True),
        ("us_privacy", "1YNN", False),
        ("us_privacy", "1---", False),
        ("us_privacy", ["1YYN"], False),
        ("do_not_sell", False, False),
        ("limitedDataUse", "", False),
    ],
)
def test_an_opt_out_by_another_programs_name_is_not_passed_over(name, said, is_no):
    answer = read_members(LEAD | {name: said})
    assert isinstance(answer, Rejection) is is_no
    assert not is_no or (answer.field == name and '"gpc"' in answer.message)


@pytest.mark.parametrize("name", ["globalPrivacyControl", "global_privacy_control", "Sec-GPC"])
def test_global_privacy_control_counts_by_its_own_name(name):
    event = read_members(LEAD | {name: "1"})
    sealed = accept(Submission(event=event), RequestFacts(), Policy(dataset="1"), now=1.7e9, entropy=bytes(10))
    assert json.loads(sealed.event.body)["data_processing_options"] == ["LDU"]
