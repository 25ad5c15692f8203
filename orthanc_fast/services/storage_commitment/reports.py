"""What others have said of the storage commitments that we have asked for. All processes see the
same, until the server starts again. Source: reference chapter 4, section 5.8."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.config_options import Values
from orthanc_fast.errors import InexistentItem, ParameterOutOfRange
from orthanc_fast.model import Caller
from orthanc_fast.runtime.contract import Runtime, Transaction
from orthanc_fast.services.exchange.modalities import comparable_aet
from orthanc_fast.services.store.visibility import restricted

_FOLDER: Final = "commitment"
_NUMBERS: Final = f"{_FOLDER}/numbers"
_REPORTS: Final = f"{_FOLDER}/report/"
_ORDER: Final = f"{_FOLDER}/order/"
_LONGEST: Final = 64  # characters of a UID


class Reference(NamedTuple):
    """One instance."""

    sop_class: str
    sop_instance: str


class Failure(NamedTuple):
    """One instance that is not kept, and why: PS3.3 section C.14.1.1."""

    sop_class: str
    sop_instance: str
    reason: int


class Report(msgspec.Struct, frozen=True, array_like=True):
    """What has become of one transaction. Nothing is known yet of one that is not complete."""

    remote_aet: str
    is_complete: bool = False
    success: list[Reference] = []
    failures: list[Failure] = []
    asked: list[Reference] | None = None  # None: the transaction is none of ours

    @property
    def status(self) -> str:
        """As clients see it."""
        if not self.is_complete:
            return "Pending"
        return "Failure" if self.failures else "Success"

    @property
    def kept(self) -> list[Reference]:
        """What we have asked the other side to keep and it says it keeps."""
        asked = frozenset(self.asked or ())
        return [each for each in self.success if each in asked]


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    order: int  # a greater one has been used later
    report: Report


class _Numbers(msgspec.Struct, array_like=True):
    next_order: int = 0
    count: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode
_decode_numbers = msgspec.msgpack.Decoder(_Numbers).decode


class Reports:
    """The reports by the UIDs of their transactions; of more than `StorageCommitmentReportsSize`
    (0: any number) those go that were not used for the longest time."""

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self._runtime = runtime
        get = Values(settings.raw)
        self._most: int = get("StorageCommitmentReportsSize")
        self._is_strict: bool = get("StrictAetComparison")

    def begin(
        self, caller: Caller, transaction: str, remote_aet: str, asked: Sequence[Reference]
    ) -> None:
        """A modality is going to be asked to keep these instances. Raises ParameterOutOfRange for
        what is no UID."""
        report = Report(remote_aet, asked=list(asked))

        def keep(runtime: Transaction) -> None:
            self._place(runtime, transaction, report)

        _check_uid(transaction)
        self._runtime.write(restricted(caller, keep))

    def complete(
        self,
        caller: Caller,
        transaction: str,
        remote_aet: str,
        success: Sequence[Reference],
        failures: Sequence[Failure],
    ) -> bool:
        """A modality has answered, be it to a transaction that we do not know. Of ours only the
        first report of the modality that was asked counts; whether this one does. Raises
        ParameterOutOfRange for what is no UID."""

        def complete(runtime: Transaction) -> bool:
            found = runtime.get(_REPORTS + transaction)
            known = Report("") if found is None else _decode(found).report
            if known.asked is not None and not self._is_awaited(known, remote_aet):
                return False
            report = Report(remote_aet, True, list(success), list(failures), known.asked)
            self._place(runtime, transaction, report)
            return True

        _check_uid(transaction)
        return self._runtime.write(restricted(caller, complete))

    def get(self, caller: Caller, transaction: str) -> Report:
        """Counts as use of the report. Raises InexistentItem, with Orthanc's words."""

        def use(runtime: Transaction) -> Report | None:
            found = runtime.get(_REPORTS + transaction) if _is_uid(transaction) else None
            if found is None:
                return None
            report = _decode(found).report
            self._place(runtime, transaction, report)
            return report

        report = self._runtime.write(restricted(caller, use))
        if report is None:
            raise InexistentItem(f"No storage commitment transaction with UID: {transaction}")
        return report

    def _is_awaited(self, known: Report, remote_aet: str) -> bool:
        if known.is_complete:
            return False
        asked, answering = (
            comparable_aet(each, self._is_strict) for each in (known.remote_aet, remote_aet)
        )
        return asked == answering

    def _place(self, runtime: Transaction, transaction: str, report: Report) -> None:
        """Writes a report as the last one used, and lets go of the first ones."""
        name = _REPORTS + transaction
        stored, old = runtime.get(_NUMBERS), runtime.get(name)
        numbers = _Numbers() if stored is None else _decode_numbers(stored)
        if old is None:
            numbers.count += 1
        else:
            runtime.delete(_order(_decode(old).order))
        runtime.set(_order(numbers.next_order), transaction.encode())
        runtime.set(name, _encode(_Stored(numbers.next_order, report)))
        numbers.next_order += 1
        while self._most and numbers.count > self._most:
            first = runtime.first_below(_ORDER)
            assert first is not None
            runtime.delete(first[0])
            runtime.delete(_REPORTS + first[1].decode())
            numbers.count -= 1
        runtime.set(_NUMBERS, _encode(numbers))


def _order(number: int) -> str:
    return f"{_ORDER}{number:016x}"


def _check_uid(text: str) -> None:
    if not _is_uid(text):
        raise ParameterOutOfRange(f"This is not the UID of a transaction: {text}")


def _is_uid(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isascii()
