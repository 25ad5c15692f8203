"""What all HTTP clients of the tests share."""

import functools
import ssl
from typing import Any

import certifi


def share_certificates() -> None:
    """One TLS context for all clients of httpx that are made without one: each made its own, of all
    authorities of the world, in 50 ms of CPU, for a request that takes 1 ms and no TLS at all."""
    usual = ssl.create_default_context

    @functools.cache
    def of_the_world() -> ssl.SSLContext:
        return usual(cafile=certifi.where())

    def create(*arguments: Any, **options: Any) -> ssl.SSLContext:
        if not arguments and options == {"cafile": certifi.where()}:
            return of_the_world()
        return usual(*arguments, **options)

    ssl.create_default_context = create
