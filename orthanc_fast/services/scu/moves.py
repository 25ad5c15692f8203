"""What comes for C-MOVEs of ours: the peer opens an association of its own and sends C-STOREs that
name the move, to whichever process takes them.

The message IDs of all processes come from one counter. While a move is under way its number is in
the runtime state, and the door adds the instances that come for it; for all others it looks once
and finds nothing. Source: reference chapter 4, section 5.6; PS3.7 section 9.1.1.1.
"""

from typing import Final

import msgspec

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Level
from orthanc_fast.runtime.contract import Runtime, Snapshot, Transaction
from orthanc_fast.services.ingest.contract import Stored
from orthanc_fast.services.jobs.records import RUNNING

FIRST_MESSAGE: Final = 1001
_LAST_MESSAGE: Final = 0xFFFF

_COUNTER: Final = "moves/counter"
_WAITING: Final = "moves/waiting/"  # <message ID>
_RECEIVED: Final = "moves/received/"  # <message ID>/<number>


class _Waiting(msgspec.Struct, array_like=True, gc=False):
    """A move under way: the job it belongs to, our title in it, and how much has come."""

    job: str
    aet: str
    count: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Waiting).decode


class Moves:
    """Those of the server; for any thread of any process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def begin(self, job: str, aet: str) -> int:
        """The message ID of a move that this job is about to ask for as `aet`. What workers that
        were killed have left is forgotten: that of an earlier run of the job, and of jobs that do
        not run."""

        def work(transaction: Transaction) -> int:
            running = {name.rpartition("/")[2] for name, _ in transaction.below(RUNNING)}
            for name, value in transaction.below(_WAITING):
                if _decode(value).job == job or _decode(value).job not in running:
                    _forget(transaction, name.removeprefix(_WAITING))
            number = _next(transaction)
            transaction.set(f"{_WAITING}{number}", _encode(_Waiting(job, aet)))
            return number

        return self._runtime.write(work)

    def received(self, aet: str, message_id: int, stored: Stored) -> None:
        """An instance has come that names this move, whoever's it is."""
        name = f"{_WAITING}{message_id}"
        public = stored.publics[Level.INSTANCE]
        try:
            waiting = self._runtime.get(name)
            # What was discarded before anybody knew its identifiers has none.
            if waiting is not None and _decode(waiting).aet == aet and public:
                self._runtime.write(lambda transaction: _add(transaction, name, public))
        except OrthancError as error:  # it is stored, which is what the peer is told
            logger.error(Category.DICOM, f"What came for C-MOVE {message_id} is not told: {error}")

    def found(self, message_id: int) -> list[str]:
        """Orthanc's identifiers of what has come so far, in this order."""

        def work(view: Snapshot) -> list[str]:
            return [value.decode() for _, value in view.below(f"{_RECEIVED}{message_id}/")]

        return self._runtime.read(work)

    def end(self, message_id: int) -> list[str]:
        """As `found`; nothing is expected any more."""
        found = self.found(message_id)
        self._runtime.write(lambda transaction: _forget(transaction, str(message_id)))
        return found


def _next(transaction: Transaction) -> int:
    """The next message ID that no move has which is under way."""
    last = transaction.get(_COUNTER)
    number = FIRST_MESSAGE - 1 if last is None else int(last)
    while True:
        number = number + 1 if number < _LAST_MESSAGE else 1
        if transaction.get(f"{_WAITING}{number}") is None:
            break
    transaction.set(_COUNTER, str(number).encode())
    return number


def _add(transaction: Transaction, name: str, public: bytes) -> None:
    record = transaction.get(name)
    if record is None:
        return
    waiting = _decode(record)
    place = f"{_RECEIVED}{name.removeprefix(_WAITING)}/{waiting.count:09d}"
    transaction.set(place, to_text(public).encode())
    waiting.count += 1
    transaction.set(name, _encode(waiting))


def _forget(transaction: Transaction, number: str) -> None:
    transaction.delete(f"{_WAITING}{number}")
    for name, _ in transaction.below(f"{_RECEIVED}{number}/"):
        transaction.delete(name)
