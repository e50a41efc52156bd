"""Starlette and FastAPI: the visitor as a dependency.

@app.post("/checkout")
async def checkout(visitor: Annotated[Visitor, Depends(visitor)]) -> ...:
    await visitor.track_async(Event(event_name="Purchase", ...))
"""

from starlette.requests import Request

from conversion_relay.frameworks import asgi
from conversion_relay.frameworks.asgi import Conversions, lifespan
from conversion_relay.frameworks.visitor import ConsentCookie, Visitor

__all__ = ["ConsentCookie", "Conversions", "Visitor", "lifespan", "visitor"]


def visitor(request: Request) -> Visitor:
    """The visitor of this request, for `Depends` or a call."""
    return asgi.visitor(request)
