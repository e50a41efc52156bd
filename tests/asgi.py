"""Calls an ASGI application without a server."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(call: Coroutine[Any, Any, Result]) -> Result:
    """In a thread of its own: Playwright leaves a running loop in the one that runs the browser's tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, call).result()
