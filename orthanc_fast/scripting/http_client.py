"""Calls of scripts to other servers by HTTP, under the options of all such calls."""

from concurrent.futures import Future

import aiohttp

from orthanc_fast.config import Settings
from orthanc_fast.scripting.rest_calls import RestCalls

Credentials = tuple[str, str]  # user and password


class NoConnection(OSError):
    """There was no answer."""


class HttpCalls:
    """The calls of one process, in the event loop of its application."""

    def __init__(self, rest: RestCalls, settings: Settings) -> None:
        self._rest = rest
        self._settings = settings

    def begin(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: dict[str, str],
        credentials: Credentials | None,
        seconds: float,
    ) -> "Future[bytes]":
        """The body of the answer, whatever its status. Raises NoConnection."""
        return self._rest.begin_work(self._call(method, url, body, headers, credentials, seconds))

    async def _call(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: dict[str, str],
        credentials: Credentials | None,
        seconds: float,
    ) -> bytes:
        auth = None if credentials is None else aiohttp.BasicAuth(*credentials)
        outgoing = self._rest.services.outgoing
        try:
            async with (
                outgoing.session(seconds) as session,
                session.request(
                    method, url, data=body or None, headers=headers, auth=auth
                ) as answer,
            ):
                return await answer.read()
        except (TimeoutError, aiohttp.ClientError, ValueError, OSError) as error:
            raise NoConnection(str(error) or type(error).__name__) from error
