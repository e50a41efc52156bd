"""The collector: the HTTP door for pages, backends and whoever watches the relay.

In come requests of browsers (known by their Origin) and of backends (known by an API key); out go answers that can be
relied on: a 202 says that the events are durable, and every other status says which field is wrong or when to try
again. `door.py` decides who may send and reads the body, a route (`events.py`, `visitors.py`) reads the document, and
the relay does the rest.

POST /events is plain ASGI, because a framework would cost more than the event does; Litestar serves everything that
is asked for seldom. This room knows HTTP and nothing of Meta: how an event is judged, kept or sent is not decided here.
"""

from conversion_relay.collector.app import create_app

__all__ = ["create_app"]
