"""Key-value stores and queues for scripts. Source: reference chapter 7, section 3."""

from collections.abc import Iterator

from orthanc_fast.error_codes import BY_CODE
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.exceptions import NOT_INITIALIZED, failure
from orthanc_fast.scripting.python.surroundings import SERVER, Surroundings

_BAD_SEQUENCE_OF_CALLS = 6
_FRONT, _BACK = 0, 1


class KeysValuesIterator:
    """Walks through a store: `Next` comes first."""

    def __init__(self, entries: Iterator[tuple[str, bytes]]) -> None:
        self._entries = entries
        self._current: tuple[str, bytes] | None = None

    @takes()
    def Next(self) -> bool:
        self._current = next(self._entries, None)
        return self._current is not None

    @takes()
    def GetKey(self) -> str:
        return self._entry()[0]

    @takes()
    def GetValue(self) -> bytes:
        return self._entry()[1]

    def _entry(self) -> tuple[str, bytes]:
        if self._current is None:
            raise failure(_BAD_SEQUENCE_OF_CALLS)
        return self._current


class KeyValueFunctions:
    """Durable, shared by all scripts of the server."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def _require_running(self) -> None:
        """For what returns a value or None: a TypeError during the import, as Orthanc's plugin."""
        if not self._around.is_running:
            raise TypeError(BY_CODE[NOT_INITIALIZED].text)

    @takes("ssb")
    def StoreKeyValue(self, store: str, key: str, value: bytes) -> None:
        self._around.require_running()
        self._around.run(self._around.stores.put(SERVER, store, key, value))

    @takes("ss")
    def GetKeyValue(self, store: str, key: str) -> bytes | None:
        self._require_running()
        return self._around.stores.get(SERVER, store, key)

    @takes("ss")
    def DeleteKeyValue(self, store: str, key: str) -> None:
        self._around.require_running()
        self._around.run(self._around.stores.delete(SERVER, store, key))

    @takes("s")
    def CreateKeysValuesIterator(self, store: str) -> KeysValuesIterator:
        self._around.require_running()
        return KeysValuesIterator(self._around.stores.walk(SERVER, store))

    @takes("sb")
    def EnqueueValue(self, queue: str, value: bytes) -> None:
        self._around.require_running()
        self._around.run(self._around.queues.put(SERVER, queue, value))

    @takes("si")
    def DequeueValue(self, queue: str, origin: int) -> bytes | None:
        self._require_running()
        work = self._around.queues.take(SERVER, queue, _is_back(origin))
        return self._around.run(work)

    @takes("s")
    def GetQueueSize(self, queue: str) -> int:
        self._around.require_running()
        return self._around.queues.size(SERVER, queue)

    @takes("sii")
    def ReserveQueueValue(
        self, queue: str, origin: int, seconds: int
    ) -> tuple[bytes | None, int | None]:
        self._around.require_running()
        if seconds <= 0:
            raise TypeError("a value is reserved for one second or more")
        work = self._around.queues.reserve(SERVER, queue, _is_back(origin), seconds)
        found = self._around.run(work)
        return (None, None) if found is None else (found.value, found.number)

    @takes("si")
    def AcknowledgeQueueValue(self, queue: str, number: int) -> None:
        self._around.require_running()
        self._around.run(self._around.queues.acknowledge(SERVER, queue, number))


def _is_back(origin: int) -> bool:
    if origin not in (_FRONT, _BACK):
        raise failure(3)
    return origin == _BACK
