"""The HTTP door: POST /events on a hot path of plain ASGI, Litestar for everything else."""

from conversion_relay.collector.app import create_app

__all__ = ["create_app"]
