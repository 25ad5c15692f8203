"""Storage commitments that others ask of us: a job looks the instances up and reports on an
association of its own. Source: reference chapter 4, section 5.8; PS3.4 annex J."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

import msgspec

from orthanc_fast.errors import InexistentItem
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level
from orthanc_fast.registries import SOP_CLASS_UID
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.jobs.contract import Kind, Run, Submission
from orthanc_fast.services.jobs.jobs import Jobs
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.storage_commitment import messages, reasons
from orthanc_fast.services.storage_commitment.commitments import SYNTAXES, refused
from orthanc_fast.services.storage_commitment.reports import Failure, Reference
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.upper_layer.channel import Watch
from orthanc_fast.upper_layer.pdu import Role
from orthanc_fast.upper_layer.requestor import proposals
from orthanc_fast.upper_layer.requests import Requests

KIND: Final = "StorageCommitmentScp"

_SOP_INSTANCE: Final = 0x00080018
_SUCCESS: Final = 0x0000
_AT_ONCE: Final = 100


class _Order(msgspec.Struct, frozen=True, array_like=True):
    transaction: str
    references: list[Reference]
    called_aet: str
    modality: Modality


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Order).decode


class CommitmentOrders:
    """Takes requests for storage commitment."""

    def __init__(self, modalities: ModalityRegistry, jobs: Jobs) -> None:
        self._modalities = modalities
        self._jobs = jobs

    def submit(self, caller: Caller, transaction: str, references: Sequence[Reference]) -> None:
        """Returns when the job is durable. Raises InexistentItem for a caller that is no modality:
        nobody knows where to report to."""
        modality = self._modalities.with_title(caller, caller.aet)
        if modality is None:
            raise InexistentItem(f"No modality with AET: {caller.aet}")
        self._jobs.submit_in_thread(caller, submission(caller, modality, transaction, references))


def submission(
    caller: Caller, modality: Modality, transaction: str, references: Sequence[Reference]
) -> Submission:
    """The job that looks up what `caller` asks to be kept, and reports to `modality`."""
    called = caller.called_aet or ""
    order = _Order(transaction, list(references), called, modality)
    content = {
        "CalledAet": called,
        "Description": "",
        "RemoteAet": caller.aet,
        "RemoteIp": caller.address,
        "TransactionUid": transaction,
    }
    return Submission(kind=KIND, payload=_encode(order), content=content)


Decide = Callable[[str, str, Sequence[Reference], Caller], list[int] | None]
"""Why each of some instances is not kept, 0 for one that is, of a job for a transaction that the
caller asks for; None where the server finds out itself."""


def _nobody(
    job: str, transaction: str, references: Sequence[Reference], caller: Caller
) -> list[int] | None:
    return None


class CommitmentJob(Kind):
    """Looks up, then reports. Doing it twice gives the same report."""

    name: ClassVar[str] = KIND

    def __init__(self, reads: Reads, associations: Associations, decide: Decide = _nobody) -> None:
        self._read = reads
        self._associations = associations
        self._decide = decide

    def run(self, run: Run) -> None:
        """Raises what `Associations.open` raises; NetworkProtocol where the report is refused."""
        order = _decode(run.payload)
        steps = len(order.references) + 2
        success: list[Reference] = []
        failures: list[Failure] = []
        decided = self._decide(run.id, order.transaction, order.references, run.caller)
        for start in range(0, len(order.references), _AT_ONCE):
            run.step(1 + start, steps)
            part = order.references[start : start + _AT_ONCE]
            found = (
                self._reasons(run.caller, part)
                if decided is None
                else decided[start : start + _AT_ONCE]
            )
            for each, reason in zip(part, found, strict=True):
                if reason:
                    failures.append(Failure(*each, reason))
                else:
                    success.append(each)
        run.step(steps - 1, steps)
        self._report(order, success, failures, lambda: run.step(steps - 1, steps))

    def _reasons(self, caller: Caller, references: Sequence[Reference]) -> list[int]:
        """Why each is not kept, 0 for one that is."""

        def reason(view: Snapshot, wanted: Reference) -> int:
            found = view.with_term(Level.INSTANCE, _SOP_INSTANCE, wanted.sop_instance)
            if len(found) != 1:
                return reasons.NO_SUCH_INSTANCE
            is_same = found[0].metadata.get(SOP_CLASS_UID) == wanted.sop_class
            return 0 if is_same else reasons.CLASS_INSTANCE_CONFLICT

        return self._read(caller, lambda view: [reason(view, each) for each in references])

    def _report(
        self,
        order: _Order,
        success: Sequence[Reference],
        failures: Sequence[Failure],
        watch: Watch,
    ) -> None:
        target = self._associations.target(order.modality, local_aet=order.called_aet)
        event_type, information = messages.event(order.transaction, success, failures)
        contexts = proposals((messages.PUSH_MODEL, SYNTAXES))
        as_scp = [Role(messages.PUSH_MODEL, scu=False, scp=True)]
        with self._associations.open(target, contexts, as_scp, watch) as association:
            status = Requests(association, target.timeout).n_event_report(
                messages.PUSH_MODEL, messages.INSTANCE, event_type, information
            )
        if status != _SUCCESS:
            raise refused(target)
