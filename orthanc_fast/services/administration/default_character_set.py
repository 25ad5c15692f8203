"""The character set of files that name none: the option `DefaultEncoding`, until REST sets another
one for this run. Source: reference chapter 1, section 10.2."""

from orthanc_fast.character_sets import canonical_encoding
from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import SERVER, Caller
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.session import DEFAULT_ENCODING
from orthanc_fast.services.store.writes import Writes


class DefaultEncoding:
    """As it is now, in all processes: call it."""

    def __init__(self, reads: Reads, writes: Writes, configured: str) -> None:
        self._read = reads
        self._write = writes
        self._configured = configured

    def __call__(self) -> str:
        stored = self._read(SERVER, lambda view: view.property(DEFAULT_ENCODING))
        return self._configured if stored is None else stored.decode()

    async def set(self, caller: Caller, name: str) -> str:
        """Sets another one until the server ends; its canonical name. Raises ParameterOutOfRange
        for one that is unknown."""
        canonical: str = await self._write(caller, _Set(name))
        return canonical


class _Set(Write[str]):
    """Results in the canonical name. Making it raises ParameterOutOfRange for an unknown one."""

    def __init__(self, name: str) -> None:
        self._name = canonical_encoding(name)

    def apply(self, transaction: Transaction) -> str:
        transaction.set_property(DEFAULT_ENCODING, self._name.encode())
        return self._name
