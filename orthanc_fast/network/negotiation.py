"""The answer to an A-ASSOCIATE-RQ. Source: reference chapter 4, sections 1.1 and 1.4."""

import re

import msgspec

from orthanc_fast.network.admission import Admission
from orthanc_fast.network.associate import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED,
    ACCEPTANCE,
    APPLICATION_CONTEXT,
    TRANSFER_SYNTAXES_NOT_SUPPORTED,
    Answer,
    Proposal,
    Request,
    Role,
)
from orthanc_fast.services.scp import sop_classes
from orthanc_fast.services.scp import transfer_syntaxes as syntaxes
from orthanc_fast.services.scp.policy import ScpPolicy

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


class Negotiator:
    """Answers requests by the configuration."""

    def __init__(self, policy: ScpPolicy, admission: Admission) -> None:
        self._admission = admission
        self._policy = policy

    def negotiate(self, request: Request, ip: str) -> Agreement | Rejection:
        """The checks come in Orthanc's order: the first that fails names the reason.

        Titles that are blank or malformed are rejected, where Orthanc lets the peer wait for its
        own time-out.
        """
        calling, called = _title(request.calling), _title(request.called)
        if calling is None:
            return Rejection(CALLING_NOT_RECOGNIZED, "the calling AET is blank or malformed")
        if called is None:
            return Rejection(CALLED_NOT_RECOGNIZED, "the called AET is blank or malformed")
        if request.application_context != APPLICATION_CONTEXT:
            return Rejection(
                CONTEXT_NOT_SUPPORTED, f"application context {request.application_context!r}"
            )
        if not self._admission.calls_us(called):
            return Rejection(CALLED_NOT_RECOGNIZED, f"the called AET {called!r} is not ours")
        if not self._admission.may_associate(calling, ip):
            return Rejection(CALLING_NOT_RECOGNIZED, f"the calling AET {calling!r} is not known")
        accepted_syntaxes = syntaxes.negotiable(self._policy.syntaxes())
        answers = [self._answer(proposal, accepted_syntaxes) for proposal in request.proposals]
        accepted = {answer.number: answer for answer in answers if answer.result == ACCEPTANCE}
        operations, window = _operations(request.operations)
        return Agreement(
            calling=calling,
            called=called,
            answers=answers,
            contexts=accepted,
            roles=self._roles(request, {answer.abstract_syntax for answer in accepted.values()}),
            operations=operations,
            window=window,
            maximum_length=request.maximum_length,
        )

    def is_storage(self, sop_class: str) -> bool:
        """Whether instances of the class may be stored here."""
        return sop_class in self._policy.storage_classes or (
            is_unknown(sop_class) and self._policy.unknown_accepted()
        )

    def _answer(self, proposal: Proposal, accepted: frozenset[str]) -> Answer:
        uid = proposal.abstract_syntax
        syntax: str | None
        if uid in self._policy.storage_classes:
            # No syntax in common: "abstract syntax not supported", as Orthanc says it.
            syntax = syntaxes.first_proposed(proposal.transfer_syntaxes, accepted)
            failure = ABSTRACT_SYNTAX_NOT_SUPPORTED
        elif (
            uid in (sop_classes.VERIFICATION, sop_classes.STORAGE_COMMITMENT)
            or uid in sop_classes.QUERY_RETRIEVE
        ):
            syntax = syntaxes.preferred(proposal.transfer_syntaxes)
            failure = TRANSFER_SYNTAXES_NOT_SUPPORTED
        elif is_unknown(uid) and self._policy.unknown_accepted():
            syntax = syntaxes.preferred(
                [each for each in proposal.transfer_syntaxes if each in accepted]
            ) or syntaxes.first_proposed(proposal.transfer_syntaxes, accepted)
            failure = TRANSFER_SYNTAXES_NOT_SUPPORTED
        else:
            syntax, failure = None, ABSTRACT_SYNTAX_NOT_SUPPORTED
        if syntax is None:
            return Answer(proposal.number, failure, uid, syntaxes.IMPLICIT_LITTLE)
        return Answer(proposal.number, ACCEPTANCE, uid, syntax)

    def _roles(self, request: Request, accepted: set[str]) -> list[Role]:
        return [
            role
            for role in request.roles
            if role.sop_class in accepted
            and (
                role.sop_class == sop_classes.STORAGE_COMMITMENT or self.is_storage(role.sop_class)
            )
        ]


def is_unknown(uid: str) -> bool:
    """Whether the UID has no name in the DICOM UID dictionary."""
    from pydicom.uid import UID  # costs start-up time, and most sites do not need it

    return bool(uid) and UID(uid).name == uid


def _title(raw: bytes) -> str | None:
    text = raw.strip(b" ")
    if not text or _UNUSABLE.search(text):
        return None
    return text.decode("latin-1")


def _operations(proposed: tuple[int, int] | None) -> tuple[tuple[int, int] | None, int]:
    if proposed is None:
        return None, 1
    invoked = proposed[0] or MAXIMUM_OPERATIONS
    window = min(invoked, MAXIMUM_OPERATIONS)
    return (window, 1), window
