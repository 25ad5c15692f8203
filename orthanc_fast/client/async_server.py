"""The client of programs with an event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
import numpy as np

from orthanc_fast.client.address import DEFAULT, address_of
from orthanc_fast.client.call import Body, Call, Pause, Step, Steps, Together
from orthanc_fast.client.connection import TIMEOUT
from orthanc_fast.client.errors import (
    ServerError,
    broke_off,
    cannot_reach,
    no_sense,
    refusal,
)
from orthanc_fast.client.methods import Methods
from orthanc_fast.client.upload import Summary, import_paths

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

_STEP = 1 << 18


class AsyncServer(Methods):
    """One server, for one event loop. The methods are those of `Server`, awaited; what writes
    files does so in threads."""

    def __init__(self, url: str = DEFAULT, user: str | None = None) -> None:
        """See `Server`. Nothing is sent yet."""
        self._user = user
        self._address = address_of(url, user)
        self.url = self._address.url
        self._session: aiohttp.ClientSession | None = None

    async def run_async(self, steps: Steps[T]) -> T:
        """What a call, or steps of several, bring: see `orthanc_fast.client.call`."""
        if isinstance(steps, Call):
            return cast(T, await self._perform(steps))
        flow = iter(steps)
        try:
            step = next(flow)
            while True:
                try:
                    brought = await self._take(step)
                except ServerError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(brought)
        except StopIteration as end:
            return cast(T, end.value)
        finally:
            flow.close()

    async def _take(self, step: Step) -> Any:
        if isinstance(step, Call):
            return await self._perform(step)
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        return await self._together(step)

    async def _together(self, step: Together[T]) -> list[T]:
        places = asyncio.Semaphore(step.at_once)

        async def one(part: Steps[T]) -> T:
            async with places:
                return await self.run_async(part)

        tasks = [asyncio.ensure_future(one(part)) for part in step.parts]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _perform(self, call: Call[T]) -> T:
        import aiohttp
        from yarl import URL

        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._address.headers,
                timeout=aiohttp.ClientTimeout(total=None, sock_read=TIMEOUT),
                skip_auto_headers=("User-Agent",),
            )
        headers = {"Accept-Encoding": "identity", **call.headers}
        try:
            context = self._session.request(
                call.method,
                URL(self.url + call.path, encoded=True),
                data=call.body,
                headers=headers,
                allow_redirects=False,
            )
            async with context as answer:
                if answer.status < 300 and call.receive is not None:
                    return await self._receive(call, answer)
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise cannot_reach(self.url, error) from error
        if answer.status >= 300:
            raise refusal(answer.status, call.method, call.path, text)
        assert call.decode is not None
        try:
            return call.decode(text)
        except (msgspec.MsgspecError, ValueError) as error:
            raise no_sense(self.url, call.path, error) from error

    async def _receive(self, call: Call[T], answer: "aiohttp.ClientResponse") -> T:
        import aiohttp

        assert call.receive is not None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        body = call.receive(answer.status, headers)
        try:
            async for chunk in answer.content.iter_chunked(_STEP):
                if body.blocks:
                    await asyncio.to_thread(_fill, body, chunk)
                else:
                    _fill(body, chunk)
            return body.done()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise broke_off(self.url, call.path, error) from error
        finally:
            body.close()

    async def upload(self, paths: Iterable[Path | str], connections: int = 4) -> Summary:
        """See `Server.upload`; the work is done in threads."""
        chosen = [Path(path) for path in paths]
        return await asyncio.to_thread(import_paths, chosen, self.url, self._user, connections)

    async def volumes(
        self, series: Sequence[str], *, prefetch: int = 2, **options: Any
    ) -> AsyncIterator[tuple[str, np.ndarray]]:
        """See `Server.volumes`."""
        coming = iter(series)
        pending: deque[tuple[str, asyncio.Future[np.ndarray]]] = deque()
        try:
            while True:
                while len(pending) < max(prefetch, 1):
                    name = next(coming, None)
                    if name is None:
                        break
                    pending.append((name, asyncio.ensure_future(self.volume(name, **options))))
                if not pending:
                    return
                name, future = pending.popleft()
                yield name, await future
        finally:
            for _, future in pending:
                future.cancel()

    async def close(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> "AsyncServer":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _fill(body: Body[Any], chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        room = body.room()
        if not room:
            return  # more than was announced
        count = min(len(room), len(rest))
        room[:count] = rest[:count]
        body.filled(count)
        rest = rest[count:]
