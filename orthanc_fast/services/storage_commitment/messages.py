"""The data sets of storage commitment. Source: PS3.4 annex J, PS3.3 section C.14."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.services.storage_commitment.reports import Failure, Reference

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PUSH_MODEL: Final = "1.2.840.10008.1.20.1"  # SOP class
INSTANCE: Final = "1.2.840.10008.1.20.1.1"  # the only one of it
REQUEST: Final = 1  # action type
ALL_ARE_KEPT, SOME_FAILED = 1, 2  # event types


class Event(msgspec.Struct, frozen=True):
    """An N-EVENT-REPORT."""

    transaction: str
    success: list[Reference]
    failures: list[Failure]


def action(transaction: str, references: Iterable[Reference]) -> Dataset:
    """The information of an N-ACTION."""
    information = _information(transaction)
    information.ReferencedSOPSequence = [_item(*each) for each in references]
    return information


def event(
    transaction: str, success: Sequence[Reference], failures: Sequence[Failure]
) -> tuple[int, Dataset]:
    """Type and information of an N-EVENT-REPORT."""
    information = action(transaction, success)
    if not failures:
        return ALL_ARE_KEPT, information
    if not success:  # an empty sequence is not allowed beside failures
        del information.ReferencedSOPSequence
    failed = []
    for failure in failures:
        item = _item(failure.sop_class, failure.sop_instance)
        item.FailureReason = failure.reason
        failed.append(item)
    information.FailedSOPSequence = failed
    return SOME_FAILED, information


def _information(transaction: str) -> Dataset:
    from pydicom.dataset import Dataset  # with pynetdicom, when something is to be said

    information = Dataset()
    information.TransactionUID = transaction
    return information


def _item(sop_class: str, sop_instance: str) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = sop_instance
    return item


def read_action(information: Dataset) -> tuple[str, list[Reference]]:
    """The transaction of an N-ACTION and what is to be kept. Raises BadFileFormat for what misses
    something."""
    return _transaction(information), _references(information)


def read_event(event_type: int, information: Dataset) -> Event:
    """An N-EVENT-REPORT. Raises BadFileFormat for what misses something."""
    transaction = _transaction(information)
    if event_type == ALL_ARE_KEPT:
        return Event(transaction, _references(information), [])
    if event_type != SOME_FAILED:
        raise BadFileFormat(f"an N-EVENT-REPORT of type {event_type}")
    failures = [
        Failure(*_uids(item), _number(item)) for item in _items(information, "FailedSOPSequence")
    ]
    has_success = "ReferencedSOPSequence" in information
    return Event(transaction, _references(information) if has_success else [], failures)


def _transaction(information: Dataset) -> str:
    uid = str(information.get("TransactionUID") or "")
    if not uid:
        raise BadFileFormat("a storage commitment without Transaction UID")
    return uid


def _references(information: Dataset) -> list[Reference]:
    return [_uids(item) for item in _items(information, "ReferencedSOPSequence")]


def _items(information: Dataset, keyword: str) -> Sequence[Dataset]:
    value: Any = information.get(keyword)
    if value is None and keyword not in information:
        raise BadFileFormat(f"a storage commitment without {keyword}")
    return value or ()


def _uids(item: Dataset) -> Reference:
    uids = [
        str(item.get(keyword) or "")
        for keyword in ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")
    ]
    if not all(uids):
        raise BadFileFormat("a storage commitment of an instance without UIDs")
    return Reference(*uids)


def _number(item: Dataset) -> int:
    reason = item.get("FailureReason")
    if not isinstance(reason, int):
        raise BadFileFormat("a failed instance without Failure Reason")
    return reason
