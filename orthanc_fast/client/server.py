"""A small client for programs that work with images: lists, finds, uploads, and gives volumes as
numpy arrays.

It speaks to this server and, with the routes that Orthanc has, to Orthanc itself.
"""

import http.client
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import urlencode

import numpy as np

from orthanc_fast.client.connection import Connections
from orthanc_fast.client.upload import Summary, import_paths

Level = Literal["Patient", "Study", "Series", "Instance"]
DType = Literal["float32", "float16", "int16", "uint8"]


class ServerError(Exception):
    """The server refused: `status` of HTTP, 0 where it could not be reached; the text says why."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(f"{status} {text}" if status else text)


class Server:
    """One server. All methods may be called from several threads at a time; those that ask the
    server raise ServerError."""

    def __init__(self, url: str = "http://localhost:8042", user: str | None = None) -> None:
        """`user` is "name:password" where the server asks for it. Nothing is sent yet."""
        self.url = url
        self._user = user
        self._connections = Connections(url, user)

    # Resources

    def patients(self) -> list[str]:
        """The identifiers of all patients."""
        return self._names("/patients")

    def studies(self, patient: str | None = None) -> list[str]:
        """The identifiers of all studies, or those of a patient."""
        return self._names("/studies" if patient is None else f"/patients/{patient}", "Studies")

    def series(self, study: str | None = None) -> list[str]:
        """The identifiers of all series, or those of a study."""
        return self._names("/series" if study is None else f"/studies/{study}", "Series")

    def instances(self, series: str | None = None) -> list[str]:
        """The identifiers of all instances, or those of a series."""
        return self._names("/instances" if series is None else f"/series/{series}", "Instances")

    def find(
        self, level: Level, query: Mapping[str, str] | None = None, *, limit: int = 0
    ) -> list[dict[str, Any]]:
        """The resources of a level that match a query, as `/tools/find` describes them:
        `find("Series", {"Modality": "CT"})`."""
        body = {"Level": level, "Query": dict(query or {}), "Expand": True, "Limit": limit}
        found: list[dict[str, Any]] = self.json("/tools/find", body)
        return found

    def json(self, path: str, body: Any = None) -> Any:
        """The JSON of any path: GET, or POST where there is a body."""
        return json.loads(self.content(path, body))

    def content(self, path: str, body: Any = None) -> bytes:
        """The bytes of any path: GET, or POST where there is a body, which is sent as JSON."""
        sent = None if body is None else json.dumps(body).encode()
        answer = self._answer("GET" if sent is None else "POST", path, sent)
        try:
            return answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connections.drop()
            raise ServerError(0, f"{self.url}{path}: the answer broke off: {error}") from error

    def upload(self, paths: Iterable[Path | str], connections: int = 4) -> Summary:
        """Sends DICOM files, folders and archives, with a progress bar on a terminal. What the
        server refuses is listed in the summary."""
        return import_paths([Path(path) for path in paths], self.url, self._user, connections)

    # Arrays

    def volume(
        self,
        series: str,
        *,
        rescale: bool = True,
        dtype: DType | None = None,
        window: tuple[float, float] | None = None,
        slices: str | None = None,
    ) -> np.ndarray:
        """A series as (slices, rows, columns), or (slices, rows, columns, 3) in colour.

        float32 after rescale, else the stored type. `dtype`, `window` (center and width, for
        uint8) and `slices` ("10:20") are not known to Orthanc, which gives a ServerError then.
        """
        return self._array(f"/series/{series}/numpy", rescale, dtype, window, "slices", slices)

    def instance(
        self,
        instance: str,
        *,
        rescale: bool = True,
        dtype: DType | None = None,
        window: tuple[float, float] | None = None,
        frames: str | None = None,
    ) -> np.ndarray:
        """The frames of an instance; see `volume`."""
        path = f"/instances/{instance}/numpy"
        return self._array(path, rescale, dtype, window, "frames", frames)

    def geometry(self, series: str) -> dict[str, Any]:
        """Where a volume lies in the patient: see docs/volumes.md. Not known to Orthanc."""
        found: dict[str, Any] = self.json(f"/series/{series}/geometry")
        return found

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

    def _names(self, path: str, member: str | None = None) -> list[str]:
        found = self.json(path)
        names: list[str] = found[member] if isinstance(found, dict) and member else found
        return names

    def _array(
        self,
        path: str,
        rescale: bool,
        dtype: DType | None,
        window: tuple[float, float] | None,
        range_name: str,
        chosen: str | None,
    ) -> np.ndarray:
        arguments = {} if rescale else {"rescale": "0"}
        if dtype is not None:
            arguments["dtype"] = dtype
        if window is not None:
            arguments["window-center"], arguments["window-width"] = map(str, window)
        if chosen is not None:
            arguments[range_name] = chosen
        answer = self._answer("GET", f"{path}?{urlencode(arguments)}")
        try:
            own = answer.getheader("Accept-Ranges") is not None
            if not own and (dtype is not None or window is not None or chosen is not None):
                raise ServerError(0, f"{self.url} is no orthanc_fast: it only knows rescale")
            return _read_array(answer)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ServerError(0, f"{self.url}{path}: the array broke off: {error}") from error
        finally:
            if not answer.isclosed():
                self._connections.drop()

    def _answer(
        self, method: str, path: str, body: bytes | None = None
    ) -> http.client.HTTPResponse:
        try:
            answer = self._connections.send(method, path, body)
            if answer.status < 300:
                return answer
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(0, f"cannot reach {self.url}: {error}") from error
        raise ServerError(answer.status, f"{method} {path}: {_reason(text)}")


def _read_array(answer: http.client.HTTPResponse) -> np.ndarray:
    """The .npy in an answer, read into its place; an axis of one channel is left out. Raises
    ValueError."""
    version = np.lib.format.read_magic(answer)
    if version != (1, 0):
        raise ValueError(f"version {version} of .npy")
    shape, _, dtype = np.lib.format.read_array_header_1_0(answer)
    array = np.empty(shape, dtype)
    room = array.data.cast("B") if array.size else memoryview(b"")
    done = 0
    while done < len(room):
        count = answer.readinto(room[done:])
        if count == 0:
            raise ValueError(f"{done} of {len(room)} bytes came")
        done += count
    answer.read()
    return array[..., 0] if shape[-1] == 1 else array


def _reason(text: bytes) -> str:
    try:
        found = json.loads(text)
        return str(found.get("Details") or found["Message"])
    except (ValueError, KeyError, AttributeError):
        return text.decode("utf-8", "replace")[:200] or "refused"
