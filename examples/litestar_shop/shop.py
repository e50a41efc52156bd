"""A shop on Litestar."""

from uuid import uuid4

import msgspec
from litestar import Litestar, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from conversion_relay import CustomData, Event, Relay, UserData
from conversion_relay.frameworks.litestar import ConsentCookie, ConversionPlugin, Visitor


class Cart(msgspec.Struct):
    email: str
    total: float


@post("/checkout")
async def checkout(data: JSONBody[Cart], visitor: NamedDependency[Visitor]) -> dict[str, str | None]:
    order = str(uuid4())
    tracked = await visitor.track_async(
        Event(
            event_name="Purchase",
            event_id=f"purchase_{order}",
            user_data=UserData(email=data.email),
            custom_data=CustomData(value=data.total, currency="EUR", order_id=order),
        )
    )
    return {"order": order, "event_id": tracked.event_id, "status": tracked.status}


plugin = ConversionPlugin(Relay.from_env(deliver=True), consent=ConsentCookie("marketing"))
app = Litestar([checkout], plugins=[plugin])
