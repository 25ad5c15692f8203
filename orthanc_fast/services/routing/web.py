"""Instances to a server of DICOMweb, one STOW-RS request each: so an answer is that of one
instance, and nothing is sent twice because another one has failed."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Final

from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import NetworkProtocol, OrthancError
from orthanc_fast.model import Attachment
from orthanc_fast.services.attachments.parts import STEP, ContentParts
from orthanc_fast.services.dicom_web_client.answers import check_stored, has_failures
from orthanc_fast.services.dicom_web_client.bodies import Files, StowBody
from orthanc_fast.services.dicom_web_client.calls import WebCalls, WebSession, refused
from orthanc_fast.services.dicom_web_client.server import Server, takes_chunks
from orthanc_fast.services.routing.contract import Item, Refused, Stop
from orthanc_fast.services.routing.http_door import HttpDoor, judged

_ACCEPT: Final = {"Accept": "application/dicom+json"}


class WebDoor(HttpDoor[WebSession]):
    """For one thread. `server` gives the entry as it is now; it raises where there is none."""

    def __init__(
        self,
        name: str,
        server: Callable[[], Server],
        calls: WebCalls,
        parts: ContentParts,
        stop: Stop,
    ) -> None:
        super().__init__(stop)
        self._name = name
        self._server = server
        self._calls = calls
        self._parts = parts

    def server(self) -> Server:
        return self._server()

    async def connect(self, stack: AsyncExitStack) -> WebSession:
        return await stack.enter_async_context(self._calls.open(self._server()))

    async def post(self, session: WebSession, item: Item) -> None:
        server = self._server()
        body = self._body(item, takes_chunks(server))
        async with session.transfer("POST", "studies", {}, _ACCEPT, {}, body) as answer:
            content = await answer.content()
        if not 200 <= answer.status < 300 and not has_failures(content):
            raise judged(answer.status, refused(answer.status, f"{server.url}studies", content))
        try:
            check_stored(content, 1, self._name)
        except NetworkProtocol as error:
            raise Refused(error.details, code=error.code) from error

    async def ask(self, stack: AsyncExitStack) -> int:
        session = await self.connect(stack)
        status, _ = await session.call("GET", "studies", {"limit": "1"}, _ACCEPT)
        return status

    def _body(self, item: Item, is_chunked: bool) -> StowBody:
        try:
            files: Files = self._parts if item.data is None else _InMemory(item.data)
            return StowBody(files, [item.outgoing], is_chunked)
        except OrthancError as error:
            raise Refused(error.details, code=error.code) from error


class _InMemory:
    """One file, as a source of bodies."""

    def __init__(self, data: Buffer) -> None:
        self._data = memoryview(data)

    def content(self, attachment: Attachment) -> Iterator[bytes]:
        for start in range(0, len(self._data), STEP):
            yield bytes(self._data[start : start + STEP])
