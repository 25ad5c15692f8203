"""Requests that follow where other servers redirect them. Source: reference chapter 4, section
8.4."""

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from orthanc_fast.services.exchange.call_faults import TooManyRedirections
from orthanc_fast.services.exchange.outgoing import OutgoingCalls

_REDIRECTIONS: Final = 30
_REDIRECTED: Final = frozenset({301, 302, 303, 307, 308})
_SEE_OTHER: Final = 303


@asynccontextmanager
async def answered(
    client: aiohttp.ClientSession,
    outgoing: OutgoingCalls,
    method: str,
    url: URL,
    headers: Mapping[str, str],
    private: Mapping[str, str],
    body: aiohttp.Payload | None,
) -> AsyncGenerator[aiohttp.ClientResponse]:
    """The answer of who has the last word. It follows redirections with the same request, also
    those at which other programs give up its body (301, 302): the other side would seem to have
    stored what it never got. Another server gets neither the `private` headers, which may be keys,
    nor the client certificate. Raises FAULTS."""
    sent = {**headers, **private}
    tls: ssl.SSLContext | bool = True  # that of the session
    url = url.with_user(None)
    for _ in range(_REDIRECTIONS + 1):
        async with client.request(
            method, url, headers=sent, data=body, allow_redirects=False, ssl=tls
        ) as answer:
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTED or location is None:
                yield answer
                return
            target = url.join(URL(location))
        if not _is_same_origin(url, target):
            sent, tls = dict(headers), outgoing.redirected_tls
        if answer.status == _SEE_OTHER:
            method, body = "GET", None
        url = target
    raise TooManyRedirections


def _is_same_origin(one: URL, other: URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)
