"""The PDUs around an association: A-ASSOCIATE, A-RELEASE, A-ABORT. Source: PS3.8 section 9.3,
PS3.7 annex D."""

import struct
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from orthanc_fast import implementation
from orthanc_fast._ext.pdata import PduError

ASSOCIATE_RQ = 1
ASSOCIATE_AC = 2
ASSOCIATE_RJ = 3
RELEASE_RQ = 5
RELEASE_RP = 6
ABORT = 7

RELEASE_REQUEST = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"
RELEASE_RESPONSE = b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

ACCEPTANCE = 0
NO_REASON = 2
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

# Sources and reasons of an A-ABORT, PS3.8 table 9-26
USER, PROVIDER = 0, 2
UNEXPECTED_PDU, INVALID_PARAMETER = 2, 6

_FIXED_PART = 74  # bytes of an A-ASSOCIATE-RQ or -AC in front of its items


class Proposal(msgspec.Struct, frozen=True):
    """One proposed presentation context."""

    number: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True):
    """What becomes of a proposal; `transfer_syntax` means something only for ACCEPTANCE."""

    number: int
    result: int
    abstract_syntax: str
    transfer_syntax: str


class Role(msgspec.Struct, frozen=True):
    """SCP/SCU role selection for one SOP class, seen from the requestor."""

    sop_class: str
    scu: bool
    scp: bool


class Request(msgspec.Struct, frozen=True):
    """An A-ASSOCIATE-RQ. Titles are as received, 16 bytes."""

    called: bytes
    calling: bytes
    application_context: str
    proposals: tuple[Proposal, ...]
    maximum_length: int  # of the P-DATA PDUs that the requestor takes; 0: any
    roles: tuple[Role, ...]
    operations: tuple[int, int] | None  # asynchronous operations invoked, performed; 0: any
    implementation_version: str


class Accept(msgspec.Struct, frozen=True):
    """An A-ASSOCIATE-AC. Its answers know no abstract syntax: that is b"" until they are compared
    with the proposals."""

    answers: tuple[Answer, ...]
    maximum_length: int  # of the P-DATA PDUs that the acceptor takes; 0: any
    roles: tuple[Role, ...]
    operations: tuple[int, int] | None
    implementation_version: str


def decode_request(pdu: bytes) -> Request:
    """Reads a complete A-ASSOCIATE-RQ PDU. Raises PduError."""
    if len(pdu) < _FIXED_PART:
        raise _malformed("an A-ASSOCIATE-RQ that ends within its fixed part")
    application_context = ""
    proposals: list[Proposal] = []
    user_information: memoryview | None = None
    for kind, content in _items(memoryview(pdu)[_FIXED_PART:]):
        if kind == 0x10:
            application_context = _uid(content)
        elif kind == 0x20:
            proposals.append(_proposal(content))
        elif kind == 0x50:
            user_information = content
    if len({proposal.number for proposal in proposals}) != len(proposals):
        raise _malformed("two presentation contexts with one number")
    maximum_length, roles, operations, version = _user_information(user_information)
    return Request(
        called=pdu[10:26],
        calling=pdu[26:42],
        application_context=application_context,
        proposals=tuple(proposals),
        maximum_length=maximum_length,
        roles=roles,
        operations=operations,
        implementation_version=version,
    )


def _malformed(text: str) -> PduError:
    return PduError(text, INVALID_PARAMETER)


def _items(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    while data:
        if len(data) < 4:
            raise _malformed("an item that ends within its header")
        length = data[2] << 8 | data[3]
        if length > len(data) - 4:
            raise _malformed(f"an item of {length} bytes where {len(data) - 4} are left")
        yield data[0], data[4 : 4 + length]
        data = data[4 + length :]


def unpadded(value: bytes) -> bytes:
    """What counts of a title or a UID: nothing from the first NUL on, no blanks at its ends.

    Titles are padded with blanks and UIDs not at all (PS3.8 section 9.3.2); programs that keep
    both in C strings pad with NUL.
    """
    return value.partition(b"\0")[0].strip(b" ")


def title_text(value: bytes) -> str:
    """An application entity title without its padding. DICOM has ASCII only; what goes beyond is
    UTF-8, as it is sent by us and by Orthanc, and Latin-1 where it cannot be that."""
    raw = unpadded(value)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _uid(content: memoryview) -> str:
    # What is no ASCII can match no known UID.
    return unpadded(bytes(content)).decode("ascii", "replace")


def _proposal(content: memoryview) -> Proposal:
    if len(content) < 4:
        raise _malformed("a presentation context that ends within its header")
    number = content[0]
    if number % 2 == 0:
        raise _malformed(f"a presentation context with the even number {number}")
    abstract = ""
    syntaxes = []
    for kind, value in _items(content[4:]):
        if kind == 0x30:
            abstract = _uid(value)
        elif kind == 0x40:
            syntaxes.append(_uid(value))
    return Proposal(number, abstract, tuple(syntaxes))


def _user_information(
    content: memoryview | None,
) -> tuple[int, tuple[Role, ...], tuple[int, int] | None, str]:
    maximum_length = 0
    roles = []
    operations: tuple[int, int] | None = None
    version = ""
    for kind, value in _items(content if content is not None else memoryview(b"")):
        if kind == 0x51 and len(value) == 4:
            maximum_length = int.from_bytes(value)
        elif kind == 0x53 and len(value) == 4:
            operations = (value[0] << 8 | value[1], value[2] << 8 | value[3])
        elif kind == 0x54:
            roles.append(_role(value))
        elif kind == 0x55:
            version = _uid(value)
    return maximum_length, tuple(roles), operations, version


def _role(value: memoryview) -> Role:
    size = value[0] << 8 | value[1] if len(value) >= 2 else 0
    if len(value) != 2 + size + 2:
        raise _malformed("a role selection whose lengths do not add up")
    return Role(_uid(value[2 : 2 + size]), value[2 + size] == 1, value[3 + size] == 1)


def decode_accept(pdu: bytes) -> Accept:
    """Reads a complete A-ASSOCIATE-AC PDU. Raises PduError."""
    if len(pdu) < _FIXED_PART:
        raise _malformed("an A-ASSOCIATE-AC that ends within its fixed part")
    answers: list[Answer] = []
    user_information: memoryview | None = None
    for kind, content in _items(memoryview(pdu)[_FIXED_PART:]):
        if kind == 0x21:
            answers.append(_answer(content))
        elif kind == 0x50:
            user_information = content
    if len({answer.number for answer in answers}) != len(answers):
        raise _malformed("two answers to one presentation context")
    return Accept(tuple(answers), *_user_information(user_information))


def _answer(content: memoryview) -> Answer:
    if len(content) < 4:
        raise _malformed("the answer to a presentation context that ends within its header")
    number, result = content[0], content[2]
    # The transfer syntax of a context that is refused is not to be looked at.
    items = _items(content[4:]) if result == ACCEPTANCE else ()
    syntaxes = [_uid(value) for kind, value in items if kind == 0x40]
    return Answer(number, result, "", syntaxes[0] if syntaxes else "")


def decode_reject(pdu: bytes) -> tuple[int, int, int]:
    """Result, source and reason of a complete A-ASSOCIATE-RJ PDU. Raises PduError."""
    if len(pdu) != 10:
        raise _malformed(f"an A-ASSOCIATE-RJ of {len(pdu)} bytes")
    return pdu[7], pdu[8], pdu[9]


def encode_request(request: Request) -> bytes:
    """An A-ASSOCIATE-RQ PDU."""
    items = [
        _item(
            0x20,
            bytes((proposal.number, 0, 0, 0))
            + _item(0x30, proposal.abstract_syntax.encode())
            + b"".join(_item(0x40, syntax.encode()) for syntax in proposal.transfer_syntaxes),
        )
        for proposal in request.proposals
    ]
    user = _encode_user_information(request.maximum_length, request.roles, request.operations)
    return _encode_associate(ASSOCIATE_RQ, request, items, user)


def encode_accept(
    request: Request,
    answers: list[Answer],
    maximum_length: int,
    roles: list[Role],
    operations: tuple[int, int] | None,
) -> bytes:
    """An A-ASSOCIATE-AC PDU; the titles are echoed as received."""
    items = [
        _item(
            0x21,
            bytes((answer.number, 0, answer.result, 0))
            + _item(0x40, answer.transfer_syntax.encode()),
        )
        for answer in answers
    ]
    user = _encode_user_information(maximum_length, roles, operations)
    return _encode_associate(ASSOCIATE_AC, request, items, user)


def _encode_user_information(
    maximum_length: int, roles: Iterable[Role], operations: tuple[int, int] | None
) -> bytes:
    parts = [
        _item(0x51, maximum_length.to_bytes(4)),
        _item(0x52, implementation.CLASS_UID.encode()),
    ]
    if operations is not None:
        parts.append(_item(0x53, struct.pack(">HH", *operations)))
    for role in roles:
        uid = role.sop_class.encode()
        parts.append(_item(0x54, struct.pack(">H", len(uid)) + uid + bytes((role.scu, role.scp))))
    parts.append(_item(0x55, implementation.VERSION_NAME.encode()))
    return b"".join(parts)


def _encode_associate(kind: int, request: Request, items: Sequence[bytes], user: bytes) -> bytes:
    parts = (_item(0x10, APPLICATION_CONTEXT.encode()), *items, _item(0x50, user))
    body = b"".join(parts)
    size = 68 + len(body)
    titles = (request.called, request.calling)
    return struct.pack(">BBIHH16s16s32s", kind, 0, size, 1, 0, *titles, b"") + body


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def encode_reject(result: int, source: int, reason: int) -> bytes:
    """An A-ASSOCIATE-RJ PDU (PS3.8 table 9-21)."""
    return bytes((ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, result, source, reason))


def encode_abort(source: int, reason: int) -> bytes:
    """An A-ABORT PDU; `reason` counts for the PROVIDER only."""
    return bytes((ABORT, 0, 0, 0, 0, 4, 0, 0, source, reason))
