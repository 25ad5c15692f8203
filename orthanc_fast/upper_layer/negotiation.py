"""What the two sides of an association agree upon. Source: PS3.8 section 7.1, PS3.7 annex D."""

import re

import msgspec

from orthanc_fast.upper_layer.pdu import (
    ACCEPTANCE,
    NO_REASON,
    TRANSFER_SYNTAXES_NOT_SUPPORTED,
    Accept,
    Answer,
    Request,
    Role,
    title_text,
    unpadded,
)

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
    return title_text(text)


def operations_window(proposed: tuple[int, int] | None) -> tuple[tuple[int, int] | None, int]:
    """The acceptor's answer to a proposed asynchronous operations window, and how many requests
    the peer may have under way."""
    if proposed is None:
        return None, 1
    window = min(proposed[0] or MAXIMUM_OPERATIONS, MAXIMUM_OPERATIONS)
    return (window, 1), window


def agreement_of(request: Request, accept: Accept) -> Agreement:
    """What the acceptor's answer makes of our request.

    A proposal without an answer, or that is accepted with a transfer syntax that was not proposed,
    is refused; an answer to what was not proposed counts for nothing. A role is ours if it was
    proposed and accepted (PS3.7 section D.3.3.4).
    """
    given = {answer.number: answer for answer in accept.answers}
    answers = []
    for proposal in request.proposals:
        found = given.get(proposal.number)
        result, syntax = (NO_REASON, "") if found is None else (found.result, found.transfer_syntax)
        if result == ACCEPTANCE and syntax not in proposal.transfer_syntaxes:
            result = TRANSFER_SYNTAXES_NOT_SUPPORTED
        answers.append(Answer(proposal.number, result, proposal.abstract_syntax, syntax))
    answered = {role.sop_class: role for role in accept.roles}
    roles = [
        Role(role.sop_class, role.scu and theirs.scu, role.scp and theirs.scp)
        for role in request.roles
        if (theirs := answered.get(role.sop_class)) is not None
    ]
    return Agreement(
        calling=title(request.calling) or "",
        called=title(request.called) or "",
        answers=answers,
        contexts={answer.number: answer for answer in answers if answer.result == ACCEPTANCE},
        roles=roles,
        operations=accept.operations,
        window=1,
        maximum_length=accept.maximum_length,
    )
