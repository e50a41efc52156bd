"""Litestar in the ways in which programs of strangers use it."""

import warnings

from litestar import Litestar, WebSocket, get, websocket
from litestar.di import NamedDependency
from litestar.testing import TestClient

from conversion_relay import Event, Relay, UserData
from conversion_relay.frameworks.litestar import ConversionPlugin, Visitor


def lead(event_id: str) -> Event:
    return Event(event_name="Lead", event_id=event_id, user_data=UserData(email="jane@shop.example"))


def test_a_handler_of_a_websocket_has_the_visitor_too_and_the_start_warns_of_nothing():
    @websocket("/chat")
    async def chat(socket: WebSocket, visitor: NamedDependency[Visitor]) -> None:
        await socket.accept()
        await socket.send_text((await visitor.track_async(lead("lead-1"))).status)
        await socket.close()

    @get("/page")
    async def page(visitor: NamedDependency[Visitor]) -> str:
        return (await visitor.track_async(lead("lead-2"))).status

    with warnings.catch_warnings(), Relay.testing() as relay:
        warnings.simplefilter("error")
        app = Litestar([chat, page], plugins=[ConversionPlugin(relay, consent="marketing")])
        yes, no = {"Cookie": "marketing=granted"}, {"Cookie": "marketing=denied"}
        with TestClient(app) as client:
            with client.websocket_connect("/chat", headers=yes) as socket:
                assert socket.receive_text() == "accepted"
            with client.websocket_connect("/chat", headers=no) as socket:
                assert socket.receive_text() == "withheld"
            assert [client.get("/page", headers=headers).text for headers in (yes, no)] == ["accepted", "withheld"]
