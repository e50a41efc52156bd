"""A collector as tutorials write it: FastAPI answers at once, and a background task gives the event to Meta's SDK.

What was answered and not yet sent is in memory alone. META_URL says where Meta is.
"""

import os

from facebook_business.adobjects.serverside.event_request import EventRequest
from fastapi import BackgroundTasks, FastAPI, Request, Response

from bench.peers import facebook

facebook.use(os.environ["META_URL"])
app = FastAPI()


@app.post("/events", status_code=202)
async def events(request: Request, tasks: BackgroundTasks) -> Response:
    tasks.add_task(send, await request.body())
    return Response(status_code=202, content="{}")


def send(raw: bytes) -> None:
    try:
        EventRequest(pixel_id="1", events=[facebook.event(raw)]).execute()
    except (ValueError, TypeError, AttributeError):
        """The SDK refuses some addresses; an exception here would close the visitor's connection."""
