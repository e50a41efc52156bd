"""Flask in the ways in which programs of strangers use it."""

from flask import Flask

from conversion_relay import Event, Relay, UserData
from conversion_relay.frameworks.flask import Conversions
from tests.frameworks.shops import AGENT


def shop(*relays: Relay) -> Flask:
    """Each relay keeps a lead of whoever asks."""
    app = Flask(__name__)
    kept = [Conversions(app, relay, consent="marketing") for relay in relays]

    @app.post("/lead/<event_id>")
    def lead(event_id: str) -> list[str]:
        event = Event(event_name="Lead", event_id=event_id, user_data=UserData(email="jane@shop.example"))
        return [conversions.track(event).status for conversions in kept]

    return app


def test_a_context_of_the_application_that_stays_does_not_give_everyone_the_first_visitors_answer():
    """`app.app_context().push()` where the program is loaded, or around a test: Flask's `g` then outlives requests."""
    with Relay.testing() as relay:
        app = shop(relay)
        with app.app_context():
            client = app.test_client(use_cookies=False)
            yes, no, other = (
                {"Cookie": "marketing=granted", "User-Agent": AGENT},
                {"Cookie": "marketing=denied", "User-Agent": AGENT},
                {"Cookie": "marketing=granted", "User-Agent": "Other/1.0"},
            )
            told = [client.post(f"/lead/{n}", headers=headers).json for n, headers in enumerate((yes, no, other))]
        assert told == [["accepted"], ["withheld"], ["accepted"]]
        assert [(event["event_id"], event["user_data"]["client_user_agent"]) for event in relay.events] == [
            ("0", AGENT),
            ("2", "Other/1.0"),
        ]


def test_two_relays_of_one_application_each_keep_their_own():
    with Relay.testing() as shops, Relay.testing() as agencys:
        shop(shops, agencys).test_client().post("/lead/1", headers={"User-Agent": AGENT})
        assert [len(relay.events) for relay in (shops, agencys)] == [1, 1]
