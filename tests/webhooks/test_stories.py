"""Every notice of one order and its subscription, from every provider: in any order, any number, and all at once.

TEST_EXAMPLES tells more orders than the few of a usual run.
"""

import itertools
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from conversion_relay import Relay, Settings
from conversion_relay.outbox.sqs import SqsOutbox
from conversion_relay.payments import PROVIDERS
from conversion_relay.webhooks import Asking, Webhooks
from tests.aws.interleaved import World
from tests.payments.signing import paypal_certificates, signed
from tests.webhooks import stories
from tests.webhooks.shop import EVERY_PROVIDER, NOW, certificates, open_shop

TELLINGS = int(os.environ.get("TEST_EXAMPLES", "4"))
QUEUE = "sqs://sqs.us-east-1.amazonaws.com/1/events"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_whatever_is_told_in_any_order_and_number_the_same_events_come_of_it(tmp_path, provider):
    for number, told in enumerate(itertools.islice(stories.tellings(provider), TELLINGS)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with open_shop(folder, RELAY_REFUNDS="event", **stories.SETTINGS) as shop:
            left = told
            for _ in range(3):  # what is answered with 503 comes again
                left = [one for one in left if shop.told(provider, *one).status == 503]
            assert left == []
            assert set(shop.events()) == stories.EVENTS[provider], number


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_hundred_replays_at_once_are_one_event(tmp_path, provider):
    paid = stories.sample(provider)
    with open_shop(tmp_path, **EVERY_PROVIDER) as shop, ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: shop.told(provider, paid), range(100)))
        assert {answer.status for answer in answers} == {200}
        assert [answer.body["message"] for answer in answers].count("accepted") == 1
        assert len(shop.events()) == 1


class Queueing:
    """SQS as the webhook's function calls it: what is sent lies in the world's queue."""

    def __init__(self, world: World) -> None:
        self._world = world

    def call(self, service: str, target: str, body: dict, *, version: str = "1.0") -> dict:
        for entry in body["Entries"]:
            self._world.put(entry["MessageBody"])
        return {"Successful": [{"Id": entry["Id"]} for entry in body["Entries"]]}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_hundred_replays_at_once_reach_meta_once_on_aws(provider):
    """The queue takes every copy; the delivery function's table lets one of them leave."""
    world = World(0)
    settings = Settings.from_env(
        {"META_PIXEL_ID": "1", "RELAY_OUTBOX": QUEUE, **EVERY_PROVIDER}, required=("META_PIXEL_ID",)
    )
    with Relay(settings, outbox=SqsOutbox(QUEUE, Queueing(world)), clock=lambda: NOW) as relay:
        asking = Asking(certificates, [paypal_certificates()[2]])
        webhooks = Webhooks(relay, asking=asking, clock=lambda: NOW)
        raw, headers = signed(provider, stories.sample(provider), NOW)
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(lambda _: webhooks.answer(provider, raw, headers), range(100)))
    assert {answer.status for answer in answers} == {200} and len(world.messages) == 100
    chance = random.Random(provider)
    for _ in range(12):  # invocations beside each other, then the rest
        world.invoke()
    while world.alive():
        chance.choice(world.alive()).go()
    while world.messages:
        if not (one := world.invoke()):
            world.pass_time(60.0)
        else:
            one.run()
    assert len(world.sends) == 1 and world.messages == []
