"""The worklists of a process, as the configuration wants them."""

from collections.abc import Callable

from orthanc_fast.config_plugins import Worklists
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.index.contract import Index
from orthanc_fast.runtime.contract import Runtime, Transaction
from orthanc_fast.services.worklists.database import Database
from orthanc_fast.services.worklists.entries import Worklist, read_worklist
from orthanc_fast.services.worklists.folder import Complaints, Folder

_NAMED = "worklists-broken/"
_KEPT_IN = "Utf8"  # character set of what this server has made
_LONGEST = 400  # bytes of a name that are told apart


def open_shelf(
    worklists: Worklists,
    index: Index,
    dictionary: Dictionary,
    character_set: Callable[[], str],
    runtime: Runtime,
) -> Folder | Database:
    """The worklists of a folder, or those in the index."""
    if worklists.folder is None:

        def read_kept(identifier: str, data: bytes, created: str) -> Worklist:
            return read_worklist(identifier, data, dictionary, _KEPT_IN, created)

        return Database(index, read_kept)

    def read(identifier: str, data: bytes, assumed: str) -> Worklist:
        return read_worklist(identifier, data, dictionary, assumed)

    return Folder(worklists.folder, read, _complaints(runtime), character_set)


def _complaints(runtime: Runtime) -> Complaints:
    """What one process has named the others do not name."""

    def claim(name: str) -> bool:
        key = _key(name)

        def work(transaction: Transaction) -> bool:
            if transaction.get(key) is not None:
                return False
            transaction.set(key, b"")
            return True

        return runtime.write(work)

    def forget(name: str) -> None:
        runtime.write(lambda transaction: transaction.delete(_key(name)))

    return Complaints(claim, forget)


def _key(name: str) -> str:
    raw = name.encode("utf-8", "surrogateescape")[:_LONGEST]
    return _NAMED + raw.decode("utf-8", "backslashreplace")
