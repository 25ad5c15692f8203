"""The answer to an A-ASSOCIATE-RQ. Source: reference chapter 4, sections 1.1 and 1.4."""

from collections.abc import Collection

from orthanc_fast.network.admission import Admission
from orthanc_fast.services.scp import sop_classes
from orthanc_fast.services.scp import transfer_syntaxes as syntaxes
from orthanc_fast.services.scp.policy import ScpPolicy
from orthanc_fast.transfer_syntaxes import IMPLICIT_LITTLE
from orthanc_fast.upper_layer.negotiation import (
    CALLED_NOT_RECOGNIZED,
    CALLING_NOT_RECOGNIZED,
    CONTEXT_NOT_SUPPORTED,
    Agreement,
    Rejection,
    operations_window,
    title,
)
from orthanc_fast.upper_layer.pdu import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED,
    ACCEPTANCE,
    APPLICATION_CONTEXT,
    TRANSFER_SYNTAXES_NOT_SUPPORTED,
    Answer,
    Proposal,
    Request,
    Role,
)


class Negotiator:
    """Answers requests by the configuration."""

    def __init__(
        self, policy: ScpPolicy, admission: Admission, handled: Collection[str] = ()
    ) -> None:
        """`handled` are the SOP classes, beside those of verification and storage, for whose
        commands there are handlers. Others are refused: a peer whose context is accepted takes
        it for granted that its requests are answered."""
        self._admission = admission
        self._policy = policy
        self._preferring = frozenset((sop_classes.VERIFICATION, *handled))

    def negotiate(self, request: Request, ip: str) -> Agreement | Rejection:
        """The checks come in Orthanc's order: the first that fails names the reason.

        Titles that are blank or malformed are rejected, where Orthanc lets the peer wait for its
        own time-out.
        """
        calling, called = title(request.calling), title(request.called)
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
        operations, window = operations_window(request.operations)
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
        elif uid in self._preferring:
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
            return Answer(proposal.number, failure, uid, IMPLICIT_LITTLE)
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
