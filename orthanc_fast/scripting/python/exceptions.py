"""The exception of the module `orthanc`. Source: reference chapter 7, section 1."""

from collections.abc import Iterator
from contextlib import contextmanager

from orthanc_fast.error_codes import BY_CODE
from orthanc_fast.errors import OrthancError


class OrthancException(Exception):
    """What every failed call raises: `args` are Orthanc's code and its text."""


OrthancException.__module__ = "orthanc"

INTERNAL_ERROR = -1
PLUGIN = 1
NOT_IMPLEMENTED = 2
PARAMETER_OUT_OF_RANGE = 3
NOT_INITIALIZED = 2038


def failure(code: int, details: str = "") -> OrthancException:
    """The exception of a code; `details` follow its text."""
    row = BY_CODE.get(code)
    text = "Unknown error code" if row is None else row.text
    return OrthancException(code, f"{text}: {details}" if details else text)


def of_error(error: OrthancError) -> OrthancException:
    """An error of the server as scripts know it."""
    return failure(error.code)


@contextmanager
def objects_only() -> Iterator[None]:
    """For functions that give an object or nothing: whatever goes wrong is Orthanc's internal
    error."""
    try:
        yield
    except (OrthancError, OrthancException) as error:
        raised = failure(INTERNAL_ERROR)
        raised.add_note(str(error))  # why; where in the server is not for the log of a script
        raise raised from None


def code_of(error: BaseException) -> int:
    """The code that an exception of a script stands for; that of a plugin's error for all that
    have none."""
    if isinstance(error, OrthancError):
        return error.code
    if isinstance(error, OrthancException) and error.args and error.args[0] in BY_CODE:
        return int(error.args[0]) or PLUGIN
    return PLUGIN
