"""What script processes are asked, and what they answer: one struct of each for every callback.

Who asks does not know the language. What is costly to make (`tags`, `content`) is there only where
the language that is asked needs it: Lua sees tags, Python the file. Source: reference chapter 7,
sections 2 and 6.3; chapter 4, section 9.2.
"""

from enum import StrEnum
from typing import Any, Literal

import msgspec

from orthanc_fast.model import Caller


class Callback(StrEnum):
    """The callbacks that somebody waits for; with the structs of question and answer."""

    RECEIVED_INSTANCE = "ReceivedInstance"  # Received -> Verdict
    INSTANCE_FILTER = "ReceivedInstanceFilter"  # Arriving -> bool: keep it
    CSTORE_FILTER = "ReceivedCStoreInstanceFilter"  # Arriving -> int: a DIMSE status, 0 keeps it
    OUTGOING_FILTER = "OutgoingCStoreInstanceFilter"  # Leaving -> bool: send it
    HTTP_FILTER = "IncomingHttpRequestFilter"  # HttpRequest -> bool: let it in
    REST = "Rest"  # RestRequest -> RestAnswer
    FIND_FILTER = "IncomingFindRequestFilter"  # FindRequest -> dict: the query in its place
    WORKLIST_FILTER = "IncomingWorklistRequestFilter"  # FindRequest -> dict
    OUTGOING_FIND_FILTER = "OutgoingFindRequestFilter"  # OutgoingFind -> dict
    FIND = "Find"  # DicomQuery -> DicomAnswers: answers a C-FIND instead of the server
    WORKLIST = "Worklist"  # DicomQuery -> DicomAnswers
    MOVE = "Move"  # MoveBegin -> MoveTask: performs a C-MOVE instead of the server
    MOVE_STEP = "MoveStep"  # MoveStep -> bool: a sub-operation of a MoveTask, or its end
    COMMITMENT = "StorageCommitment"  # Commitment -> list[int]: a reason for each instance
    EXECUTE = "ExecuteScript"  # str -> str: runs a script, gives what it has printed


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an instance comes from, or who asks: what is not known of it is None."""

    request_origin: str
    remote_ip: str | None = None
    user: str | None = None
    remote_aet: str | None = None
    called_aet: str | None = None


def origin_of(caller: Caller) -> Origin:
    return Origin(
        request_origin=caller.origin,
        remote_ip=caller.address,
        user=caller.user,
        remote_aet=caller.aet or None,
        called_aet=caller.called_aet,
    )


class Received(msgspec.Struct, frozen=True):
    """A file, before anybody has looked into it."""

    content: bytes
    origin: Origin


class Verdict(msgspec.Struct, frozen=True):
    """What is to become of it; `content` takes its place where it is to be modified."""

    action: Literal["keep", "modify", "discard"]
    content: bytes | None = None


class Arriving(msgspec.Struct, frozen=True):
    """An instance that is about to be stored. `tags` are its simplified tags as JSON (for Lua),
    `content` is its file (for Python)."""

    origin: Origin
    has_pixel_data: bool
    transfer_syntax: str | None
    tags: bytes | None = None
    content: bytes | None = None


class Leaving(msgspec.Struct, frozen=True):
    """An instance that is about to be sent; `tags` are its simplified tags as JSON."""

    tags: bytes
    remote_aet: str
    remote_ip: str


class HttpRequest(msgspec.Struct, frozen=True):
    """A request that has passed the authentication. Names of headers are in lower case."""

    method: str
    uri: str  # decoded, without the query
    ip: str
    user: str
    headers: dict[str, str]
    arguments: dict[str, str]  # of a GET


class RestRequest(msgspec.Struct, frozen=True):
    """A request for a route of the script, which is the one with the number `route` in its
    registration. A large body is in `body_file` instead, until there is an answer."""

    route: int
    method: str
    uri: str  # decoded, without the query and a slash at its end
    groups: tuple[str, ...]
    headers: dict[str, str]
    arguments: dict[str, str]
    body: bytes
    body_file: str | None = None


class RestAnswer(msgspec.Struct, frozen=True):
    """What the client gets, headers as they are to be sent. `is_stream`: without a length. Where
    the answer comes in parts, `body` is what there is by now, and `length` all of it, if known."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    is_stream: bool = False
    length: int | None = None


class FindRequest(msgspec.Struct, frozen=True):
    """A query of a modality: values by tag (`gggg,eeee`), sequences as lists of the same."""

    query: dict[str, Any]
    origin: Origin


class OutgoingFind(msgspec.Struct, frozen=True):
    """A query that is about to be sent to a modality, as `FindRequest`."""

    query: dict[str, Any]
    remote_aet: str


class DicomQuery(msgspec.Struct, frozen=True):
    """A query of a modality that the script answers: its identifier as a DICOM file."""

    identifier: bytes
    origin: Origin


class DicomAnswers(msgspec.Struct, frozen=True):
    """DICOM files. `is_complete` False: there are more than these."""

    files: list[bytes]
    is_complete: bool = True


class MoveBegin(msgspec.Struct, frozen=True):
    """A C-MOVE of a modality, as scripts see it: texts, but for the message's number."""

    request: dict[str, str | int]
    origin: Origin


class MoveTask(msgspec.Struct, frozen=True):
    """A C-MOVE that a script has begun, and how many sub-operations it has. Whoever has got it ends
    it by a last step."""

    number: int
    size: int


class MoveStep(msgspec.Struct, frozen=True):
    """The next sub-operation of a task, or its end."""

    number: int
    is_end: bool = False


class Commitment(msgspec.Struct, frozen=True):
    """A modality wants to know whether instances are kept."""

    job: str
    transaction: str
    sop_classes: list[str]
    sop_instances: list[str]
    origin: Origin


class Question(msgspec.Struct, frozen=True, array_like=True):
    """One message of the channel; `payload` is the struct of the callback as MessagePack. `seconds`
    is how long the asker waits, 0: for ever; `number` comes back with the answer."""

    callback: str
    payload: bytes
    seconds: float = 0.0
    number: int = 0


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The answer as MessagePack; with a `code` it is an error and `details` says what was wrong.

    An answer to a RestRequest may come in parts: first a RestAnswer, then bytes of its body, each
    with `more`; the last message has none, and tells by its code whether all went well.
    """

    payload: bytes = b""
    code: int | None = None
    details: str | None = None
    more: bool = False
    number: int = 0
