"""The one exception tree. Each class is one of Orthanc's error codes; HTTP and DIMSE map it in
one place.

    OrthancError                  any code, by number
    ├── InternalError        -1   500
    ├── NotImplementedYet     2   500
    ├── ParameterOutOfRange   3   400
    ├── BadParameterType      5   400
    ├── BadSequenceOfCalls    6   500
    ├── InexistentItem        7   404
    ├── BadRequest            8   400
    ├── NetworkProtocol       9   500   a peer, or the way to it
    ├── BadFileFormat        15   400   DIMSE 0xA700, as everything that is not named below
    ├── UnknownResource      17   404
    ├── IncompatibleDatabase 18   500   stops the start
    ├── FullStorage          19   500   507 where an instance is stored
    ├── CorruptedFile        20   500
    ├── InexistentTag        21   404
    ├── ReadOnly             22   500
    ├── UnknownDicomTag      27   500
    ├── BadRange             41   416
    ├── Revision             43   409
    ├── ForbiddenAccess      45   403
    ├── StorageFault       2001   500
    └── NoPresentationContext 2015  500

An error says what was wrong and what to do: `details` is shown to the client under "Details". What
only the administrator may know, as the place of a file, is `private`: the log has both.
Sources: reference chapter 1, sections 1.2 to 1.4; chapter 4, section 2.2 (DIMSE).
"""

import errno
from typing import Any, ClassVar, Final

from orthanc_fast.error_codes import BY_CODE

# What the operating system says of a disk without room: a matter of FullStorage.
DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)

DIMSE_OUT_OF_RESOURCES = 0xA700


class OrthancError(Exception):
    """An error with one of Orthanc's codes.

    `details` is free text for the client, `private` what follows it in the log and in the text of
    the exception: paths of this machine, what libraries say. `http_status` replaces the status of
    the code (507 for a full storage), `payload` becomes `ErrorPayload` of the answer.
    """

    code: int = -1
    dimse_status: ClassVar[int] = DIMSE_OUT_OF_RESOURCES

    def __init__(
        self,
        details: str | None = None,
        *,
        private: object = None,
        code: int | None = None,
        http_status: int | None = None,
        payload: dict[str, Any] | None = None,
    ) -> None:
        if code is not None:
            self.code = code
        row = BY_CODE[self.code]
        self.text = row.text
        self.details = details
        self.http_status = row.http_status if http_status is None else http_status
        self.payload = payload
        text = row.text if details is None else f"{row.text}: {details}"
        super().__init__(text if private is None else f"{text} ({private})")


class InternalError(OrthancError):
    code = -1


class NotImplementedYet(OrthancError):
    code = 2


class ParameterOutOfRange(OrthancError):
    code = 3


class BadParameterType(OrthancError):
    code = 5


class BadSequenceOfCalls(OrthancError):
    code = 6


class InexistentItem(OrthancError):
    code = 7


class BadRequest(OrthancError):
    code = 8


class NetworkProtocol(OrthancError):
    code = 9


class BadFileFormat(OrthancError):
    code = 15


class NoPixelData(BadFileFormat):
    """A file that is no image was asked for its pixels."""


class UnknownResource(OrthancError):
    code = 17


class IncompatibleDatabase(OrthancError):
    code = 18


class FullStorage(OrthancError):
    code = 19


class CorruptedFile(OrthancError):
    code = 20


class InexistentTag(OrthancError):
    code = 21


class LacksIdentifier(InexistentTag):
    """A DICOM file without one of the UIDs that every instance has; those of its SOP class and
    instance, where they are there."""

    def __init__(self, details: str, sop_class: str, sop_uid: str) -> None:
        self.sop_class = sop_class
        self.sop_uid = sop_uid
        super().__init__(details)


class ReadOnly(OrthancError):
    code = 22


class UnknownDicomTag(OrthancError):
    code = 27


class BadRange(OrthancError):
    code = 41


class Revision(OrthancError):
    code = 43


class ForbiddenAccess(OrthancError):
    code = 45


class StorageFault(OrthancError):
    code = 2001


class NoPresentationContext(OrthancError):
    code = 2015
