"""What clients ask of other servers of DICOMweb. Source: reference chapter 5, section 11.2."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.model import Caller
from orthanc_fast.services.dicom_web_client.answers import matches
from orthanc_fast.services.dicom_web_client.calls import WebCalls, refused
from orthanc_fast.services.dicom_web_client.orders import (
    RetrieveOrder,
    StowOrder,
    Wanted,
    chosen,
    retrieve_submission,
    stow_submission,
)
from orthanc_fast.services.dicom_web_client.questions import Question
from orthanc_fast.services.dicom_web_client.registry import DicomWebServers
from orthanc_fast.services.dicom_web_client.server import (
    has_delete,
    sends_any_syntax,
    takes_chunks,
)
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.store.reads import Reads

Texts = Mapping[str, str]

# What belongs to one connection, or is said by us.
_NOT_PASSED_ON: Final = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "content-length", "content-type", "proxy-connection"}
)


class Passed(msgspec.Struct, frozen=True):
    """An answer that is passed on while it comes. Who has it iterates over `stream`, or closes
    it."""

    content_type: str
    headers: list[tuple[str, str]]
    length: int | None
    stream: AsyncGenerator[bytes]


class DicomWebExchange:
    """For one process. Where a name is unknown, InexistentItem is raised; where the other server
    does not answer with success OrthancError 8, 9, 17 or 29."""

    def __init__(
        self, reads: Reads, servers: DicomWebServers, calls: WebCalls, dictionary: Dictionary
    ) -> None:
        self._read = reads
        self._servers = servers
        self._calls = calls
        self._dictionary = dictionary

    async def get(self, caller: Caller, name: str, question: Question) -> Passed:
        """What the server answers, once it has begun."""
        server = self._servers.get(caller, name)
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(self._calls.open(server))
            answer = await stack.enter_async_context(
                session.transfer("GET", question.uri, question.arguments, {}, question.headers)
            )
            await answer.require_success()
            held = stack.pop_all()

        async def stream() -> AsyncGenerator[bytes]:
            async with held:
                yield b""  # now the connection is closed with the stream
                async for chunk in answer.chunks():
                    yield chunk

        stream_of_it = stream()
        await anext(stream_of_it)
        passed_on = [each for each in answer.headers if each[0].lower() not in _NOT_PASSED_ON]
        return Passed(answer.content_type, passed_on, answer.length, stream_of_it)

    async def search(self, caller: Caller, name: str, question: Question) -> list[dict[str, Any]]:
        """What the server has found. Raises as `matches` too."""
        server = self._servers.get(caller, name)
        async with self._calls.open(server) as session:
            status, body = await session.call(
                "GET", question.uri, question.arguments, question.headers
            )
        _require_success(status, server.url + question.uri, body)
        # A long answer takes seconds.
        return await asyncio.to_thread(matches, body, self._dictionary)

    async def delete(self, caller: Caller, name: str, uri: str, headers: Texts) -> None:
        """Has the server delete what is there. Raises BadFileFormat for a server that does not."""
        server = self._servers.get(caller, name)
        if not has_delete(server):
            raise BadFileFormat(
                f'Cannot delete on DICOMweb server, check out property "HasDelete": {name}'
            )
        async with self._calls.open(server) as session:
            status, body = await session.call("DELETE", uri, {}, headers)
        _require_success(status, server.url + uri, body)

    async def stow(
        self, caller: Caller, name: str, names: Sequence[str], headers: Texts, priority: int
    ) -> Submission:
        """The job that sends the resources with these identifiers. Raises UnknownResource."""
        server = self._servers.get(caller, name)
        takes_chunks(server)  # what is wrong with it is said now
        found = await self._read.run(chosen, self._read, caller, names)
        order = StowOrder(
            name=name, server=server, headers=dict(headers), instances=found.instances
        )
        return stow_submission(order, found.resources, priority)

    def retrieve(
        self,
        caller: Caller,
        name: str,
        wanted: Sequence[Wanted],
        arguments: Texts,
        headers: Texts,
        priority: int,
    ) -> Submission:
        """The job that retrieves what is there."""
        server = self._servers.get(caller, name)
        sends_any_syntax(server)  # as above
        order = RetrieveOrder(
            name=name,
            server=server,
            headers=dict(headers),
            arguments=dict(arguments),
            wanted=tuple(wanted),
        )
        return retrieve_submission(order, priority)


def _require_success(status: int, url: str, body: bytes) -> None:
    if not 200 <= status < 300:
        raise refused(status, url, body)
