"""A shop on FastAPI. `track_async` returns when the Purchase is on the disk; the loop serves others meanwhile."""

from typing import Annotated
from uuid import uuid4

from fastapi import Depends, FastAPI
from pydantic import BaseModel

from conversion_relay import CustomData, Event, Relay, UserData
from conversion_relay.frameworks.starlette import ConsentCookie, Conversions, Visitor, lifespan, visitor

relay = Relay.from_env(deliver=True)
app = FastAPI(lifespan=lifespan(relay))
app.add_middleware(Conversions, relay=relay, consent=ConsentCookie("marketing"))


class Cart(BaseModel):
    email: str
    total: float


@app.post("/checkout")
async def checkout(cart: Cart, who: Annotated[Visitor, Depends(visitor)]) -> dict[str, str | None]:
    order = str(uuid4())
    tracked = await who.track_async(
        Event(
            event_name="Purchase",
            event_id=f"purchase_{order}",
            user_data=UserData(email=cart.email),
            custom_data=CustomData(value=cart.total, currency="EUR", order_id=order),
        )
    )
    return {"order": order, "event_id": tracked.event_id, "status": tracked.status}
