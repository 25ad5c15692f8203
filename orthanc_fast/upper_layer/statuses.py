"""The one mapping from what happens to DIMSE statuses. Source: reference chapter 4, section 2.2."""

from orthanc_fast.errors import DIMSE_OUT_OF_RESOURCES, OrthancError

SUCCESS = 0x0000
SOP_CLASS_NOT_SUPPORTED = 0x0122
SUB_OPERATIONS_FAILED = 0xA702  # all of them
DATA_SET_MISMATCH = 0xA900
SUB_OPERATIONS_INCOMPLETE = 0xB000  # some have failed, or warned
CANNOT_UNDERSTAND = 0xC000
CANCEL = 0xFE00


class StatusError(Exception):
    """A request that is answered with a status of its own."""

    def __init__(self, status: int) -> None:
        super().__init__(f"0x{status:04x}")
        self.status = status


def store_status(error: BaseException | None) -> int:
    """The status of a C-STORE: 0x0000 if there is no error."""
    if error is None:
        return SUCCESS
    if isinstance(error, StatusError):
        return error.status
    if isinstance(error, OrthancError):
        return error.dimse_status
    return DIMSE_OUT_OF_RESOURCES


def consistency_status(
    affected: tuple[bytes, bytes], found: tuple[bytes | None, bytes | None]
) -> int:
    """Compares SOP class and instance of a C-STORE command with those of its data set."""
    if not found[0] or not found[1]:
        return CANNOT_UNDERSTAND
    if affected != found:
        return DATA_SET_MISMATCH
    return SUCCESS
