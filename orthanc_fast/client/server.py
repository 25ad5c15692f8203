"""The client of programs that wait for each answer, from any number of threads.

It speaks to this server and, with the routes that Orthanc has, to Orthanc itself.
"""

import http.client
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

import msgspec
import numpy as np

from orthanc_fast.client.address import DEFAULT
from orthanc_fast.client.call import Call, Pause, Step, Steps, Together
from orthanc_fast.client.connection import Connections
from orthanc_fast.client.errors import (
    ServerError,
    broke_off,
    cannot_reach,
    no_sense,
    refusal,
)
from orthanc_fast.client.methods import Methods
from orthanc_fast.client.upload import Summary, import_paths

T = TypeVar("T")

_FAILED = (OSError, http.client.HTTPException)


class Server(Methods):
    """One server. All methods may be called from several threads at a time; those that ask the
    server raise ServerError."""

    def __init__(self, url: str = DEFAULT, user: str | None = None) -> None:
        """`user` is "name:password" where the server asks for it; else they may stand in the
        address or in ~/.netrc. Nothing is sent yet."""
        self._user = user
        self._connections = Connections(url, user)
        self.url = self._connections.url

    def run(self, steps: Steps[T]) -> T:
        """What a call, or steps of several, bring: see `orthanc_fast.client.call`."""
        if isinstance(steps, Call):
            return cast(T, self._perform(steps))
        flow = iter(steps)
        try:
            step = next(flow)
            while True:
                try:
                    brought = self._take(step)
                except ServerError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(brought)
        except StopIteration as end:
            return cast(T, end.value)
        finally:
            flow.close()

    def _take(self, step: Step) -> Any:
        if isinstance(step, Call):
            return self._perform(step)
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        return self._together(step)

    def _together(self, step: Together[T]) -> list[T]:
        with ThreadPoolExecutor(step.at_once, thread_name_prefix="client") as pool:
            futures = [pool.submit(self.run, part) for part in step.parts]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _perform(self, call: Call[T]) -> T:
        try:
            answer = self._connections.send(call.method, call.path, call.body, call.headers)
            text = answer.read() if call.receive is None or answer.status >= 300 else b""
        except _FAILED as error:
            self._connections.drop()
            raise cannot_reach(self.url, error) from error
        if answer.status >= 300:
            raise refusal(answer.status, call.method, call.path, text)
        if call.decode is None:
            return self._receive(call, answer)
        try:
            return call.decode(text)
        except (msgspec.MsgspecError, ValueError) as error:
            raise no_sense(self.url, call.path, error) from error

    def _receive(self, call: Call[T], answer: http.client.HTTPResponse) -> T:
        assert call.receive is not None
        try:
            headers = {name.lower(): value for name, value in answer.getheaders()}
            body = call.receive(answer.status, headers)
            try:
                while room := body.room():
                    try:
                        count = answer.readinto(room)
                    except _FAILED as error:
                        raise broke_off(self.url, call.path, error) from error
                    if count == 0:
                        break
                    body.filled(count)
                answer.read()
                return body.done()
            finally:
                body.close()
        finally:
            if not answer.isclosed():
                self._connections.drop()

    def upload(self, paths: Iterable[Path | str], connections: int = 4) -> Summary:
        """Sends DICOM files, folders and archives, with a progress bar on a terminal. What the
        server refuses is listed in the summary."""
        return import_paths([Path(path) for path in paths], self.url, self._user, connections)

    def volumes(
        self, series: Sequence[str], *, prefetch: int = 2, **options: Any
    ) -> Iterator[tuple[str, np.ndarray]]:
        """(identifier, array) of several series in their order, with the `options` of `volume`.
        While one is worked on the next `prefetch` are on their way, each on a connection of its
        own."""
        with ThreadPoolExecutor(max(prefetch, 1), thread_name_prefix="volumes") as pool:
            coming = iter(series)
            pending: deque[tuple[str, Future[np.ndarray]]] = deque()
            try:
                while True:
                    while len(pending) < max(prefetch, 1):
                        name = next(coming, None)
                        if name is None:
                            break
                        pending.append((name, pool.submit(self.volume, name, **options)))
                    if not pending:
                        return
                    name, future = pending.popleft()
                    yield name, future.result()
            finally:
                for _, future in pending:
                    future.cancel()

    def close(self) -> None:
        """Closes all connections."""
        self._connections.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
