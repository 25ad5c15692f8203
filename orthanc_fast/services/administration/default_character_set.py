"""The character set of files that name none: the option `DefaultEncoding`, until REST sets another
one for this run. Source: reference chapter 1, section 10.2."""

from orthanc_fast.character_sets import canonical_encoding
from orthanc_fast.index.lmdb.commit import Write
from orthanc_fast.index.lmdb.index import Index
from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.services.store.session import DEFAULT_ENCODING


class DefaultEncoding:
    """As it is now, in all processes: call it."""

    def __init__(self, index: Index, configured: str) -> None:
        self._index = index
        self._configured = configured

    def __call__(self) -> str:
        with self._index.view() as view:
            stored = view.property(DEFAULT_ENCODING)
        return self._configured if stored is None else stored.decode()


class SetDefaultEncoding(Write[str]):
    """Results in the canonical name. Making it raises ParameterOutOfRange for an unknown one."""

    def __init__(self, name: str) -> None:
        self._name = canonical_encoding(name)

    def apply(self, transaction: Transaction) -> str:
        transaction.set_property(DEFAULT_ENCODING, self._name.encode())
        return self._name
