"""C-FIND as SCU. Source: reference chapter 4, sections 5.3 and 5.6; DICOM PS3.4 section C.4.1."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import DicomFile
from orthanc_fast.errors import NetworkProtocol, OrthancError
from orthanc_fast.model import Level
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.scp.sop_classes import (
    PATIENT_ROOT_FIND,
    STUDY_ROOT_FIND,
    WORKLIST_FIND,
)
from orthanc_fast.services.scu.answers import AnswerReader
from orthanc_fast.services.scu.associating import NOBODY_WAITS, Associations, DimseFailure, plain
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, IMPLICIT_LITTLE
from orthanc_fast.upper_layer import dimse
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.requestor import Target
from orthanc_fast.upper_layer.requests import Requests

EVERY_CLASS: Final = (PATIENT_ROOT_FIND, STUDY_ROOT_FIND, WORKLIST_FIND)
CLASSES: Final = {
    Level.PATIENT: PATIENT_ROOT_FIND,
    Level.STUDY: STUDY_ROOT_FIND,
    Level.SERIES: STUDY_ROOT_FIND,
    Level.INSTANCE: STUDY_ROOT_FIND,
}

LARGEST: Final = 256 << 20  # bytes of all answers that are kept
AT_ONCE: Final = 64 << 20  # of those that are in memory together

_FIND_UNAVAILABLE: Final = 2016

_SUCCESS: Final = 0x0000
_CANNOT_PROCESS: Final = 0xC000
_INVALID_QUERY: Final = " (unable to process - invalid query ?)"
_UNPROCESSABLE: Final = 422  # as HTTP says it


class FindAssociation:
    """An association on which one C-FIND after the other is asked."""

    def __init__(
        self, association: Association, target: Target, stop: threading.Event, largest: int
    ) -> None:
        self._association = association
        self._target = target
        self._stop = stop
        self._largest = largest
        self._size = 0
        self._requests = Requests(association, target.timeout)

    def answers(self, sop_class: str, encoded: Callable[[str], bytes]) -> Iterator[DicomFile]:
        """The answers, as they come, to the identifier that is `encoded` in a transfer syntax.
        Raises NetworkProtocol with the DIMSE status as payload, and 422 for HTTP if that is 0xC000,
        and for answers that are too large; OrthancError 2016 where the class is not accepted."""
        syntax = self._syntax(sop_class)
        explicit, big = syntax != IMPLICIT_LITTLE, syntax == EXPLICIT_BIG
        for status, answer in self._requests.find(sop_class, encoded(syntax)):
            if self._stop.is_set():
                raise NetworkProtocol(NOBODY_WAITS)
            if status in dimse.PENDING:
                self._check_size(len(answer))
                yield DicomFile(answer, 0, explicit, big, [], syntax, False)
            elif status == _CANNOT_PROCESS:
                raise DimseFailure(
                    "C-FIND", self._target, status, _INVALID_QUERY, http_status=_UNPROCESSABLE
                )
            elif status != _SUCCESS:
                raise DimseFailure("C-FIND", self._target, status)

    def _check_size(self, size: int) -> None:
        self._size += size
        if self._size > self._largest:
            raise NetworkProtocol(
                f'The answers of AET "{self._target.called}" take more than '
                f"{self._largest >> 20} MB: ask for less"
            )

    def _syntax(self, sop_class: str) -> str:
        for context in self._association.agreement.contexts.values():
            if context.abstract_syntax == sop_class:
                return context.transfer_syntax
        raise OrthancError(f"Remote AET is {self._target.called}", code=_FIND_UNAVAILABLE)


@contextmanager
def opened(
    associations: Associations,
    target: Target,
    sop_classes: Sequence[str],
    stop: threading.Event,
    largest: int = LARGEST,
) -> Iterator[FindAssociation]:
    """An association for C-FIND with these classes; `largest` is how many bytes all answers may
    have.

    All of it blocks as long as the other side is silent, at most the target's timeout each time.
    Who does not want any more answers leaves the block, or sets `stop`: the association is broken
    off. Raises as `Associations.open` and `until`.
    """
    watch = associations.until(stop)
    with associations.open(target, plain(*sop_classes), watch=watch) as association:
        yield FindAssociation(association, target, stop, largest)


class FindScu(NamedTuple):
    """What asking modalities needs, whatever is asked. `character_set` tells the name of this
    server's own."""

    associations: Associations
    modalities: ModalityRegistry
    dictionary: Dictionary
    character_set: Callable[[], str]
    read: AnswerReader
