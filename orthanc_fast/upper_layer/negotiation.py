"""What the two sides of an association agree upon. Source: PS3.8 section 7.1, PS3.7 annex D."""

import re

import msgspec

from orthanc_fast.upper_layer.pdu import Answer, Role, unpadded

MAXIMUM_OPERATIONS = 32  # C-STOREs of one association that may be under way at the same time

# (result, source, reason) of an A-ASSOCIATE-RJ, PS3.8 table 9-21
CONTEXT_NOT_SUPPORTED = (1, 1, 2)
CALLING_NOT_RECOGNIZED = (1, 1, 3)
CALLED_NOT_RECOGNIZED = (1, 1, 7)
LOCAL_LIMIT_EXCEEDED = (2, 3, 2)

_UNUSABLE = re.compile(rb"[\x00-\x1f\x7f\\]")


class Agreement(msgspec.Struct, frozen=True):
    """What both sides of an association have agreed upon."""

    calling: str  # without padding
    called: str
    answers: list[Answer]
    contexts: dict[int, Answer]  # the accepted ones
    roles: list[Role]
    operations: tuple[int, int] | None  # asynchronous operations window of the answer
    window: int  # requests that the peer may have under way
    maximum_length: int  # of the P-DATA PDUs that the peer takes; 0: any


class Rejection(msgspec.Struct, frozen=True):
    """Why an association is refused, as the A-ASSOCIATE-RJ and the log say it."""

    code: tuple[int, int, int]
    text: str


def title(raw: bytes) -> str | None:
    """An application entity title without its padding; None if it is blank or malformed."""
    text = unpadded(raw)
    if not text or _UNUSABLE.search(text):
        return None
    return text.decode("latin-1")


def operations_window(proposed: tuple[int, int] | None) -> tuple[tuple[int, int] | None, int]:
    """The acceptor's answer to a proposed asynchronous operations window, and how many requests
    the peer may have under way."""
    if proposed is None:
        return None, 1
    window = min(proposed[0] or MAXIMUM_OPERATIONS, MAXIMUM_OPERATIONS)
    return (window, 1), window
