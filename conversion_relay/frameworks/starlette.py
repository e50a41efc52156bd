"""Starlette and FastAPI: the visitor as a dependency.

@app.post("/checkout")
async def checkout(visitor: Annotated[Visitor, Depends(visitor)]) -> ...:
    await visitor.track_async(Event(event_name="Purchase", ...))
"""

from starlette.requests import HTTPConnection

from conversion_relay.errors import leaves_no_variables
from conversion_relay.frameworks import asgi
from conversion_relay.frameworks.asgi import Conversions, lifespan
from conversion_relay.frameworks.visitor import ConsentCookie, Visitor

__all__ = ["ConsentCookie", "Conversions", "Visitor", "lifespan", "visitor"]


@leaves_no_variables
def visitor(request: HTTPConnection) -> Visitor:
    """The visitor of this request or WebSocket, for `Depends` or a call. FastAPI gives a dependency of a WebSocket no
    `Request`, but what both are."""
    return asgi.visitor(request)
