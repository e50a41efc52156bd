"""5,000 deliveries of each provider that were changed on their way: each is a 400 at the door, and nothing is kept."""

import itertools
import logging

import pytest

from tests.payments.mutations import MANY, mutations
from tests.payments.signing import IN_HEADERS
from tests.webhooks.shop import EVERY_PROVIDER, open_shop


@pytest.mark.parametrize("provider", IN_HEADERS)
def test_what_was_changed_on_its_way_is_a_400_and_no_event(tmp_path, caplog, provider):
    caplog.set_level(logging.CRITICAL, "conversion_relay")  # a sentence for each is not what is looked at here
    with open_shop(tmp_path, **EVERY_PROVIDER) as shop:
        for name, body, headers in itertools.islice(mutations(provider), MANY):
            answer = shop.webhooks.answer(provider, body, headers)
            assert answer.status == 400, (name, body, headers, answer)
        assert shop.events() == {} and sum(shop.reasons().values()) == MANY
