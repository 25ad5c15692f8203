"""Storage commitments that we ask for: SCU of N-ACTION. Source: reference chapter 4, section 5.8;
PS3.4 annex J."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.errors import BadSequenceOfCalls, NetworkProtocol, UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import SERVER, Caller, Level
from orthanc_fast.services.exchange.instances import Instances, instances_below
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.storage_commitment import messages
from orthanc_fast.services.storage_commitment.reports import Reference, Reports
from orthanc_fast.services.store.lookup import records_of_any_level
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from orthanc_fast.upper_layer.channel import Watch
from orthanc_fast.upper_layer.requestor import Target, proposals
from orthanc_fast.upper_layer.requests import Requests

SYNTAXES: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)

_SOP_INSTANCE: Final = 0x00080018
_SUCCESS: Final = 0x0000


class Commitments:
    """Asks modalities to keep instances, and remembers what they say."""

    def __init__(
        self, associations: Associations, reports: Reports, reads: Reads, deletion: Deletion
    ) -> None:
        self.associations = associations
        self.reports = reports
        self._read = reads
        self._deletion = deletion

    def references(self, caller: Caller, names: Sequence[str]) -> list[Reference]:
        """The instances of resources of any level. Raises UnknownResource."""
        publics = [from_text(name) for name in names]

        def read(view: Snapshot) -> bytes:
            found = records_of_any_level(view, [each for each in publics if each is not None])
            if len(found) < len(publics):
                raise UnknownResource
            return instances_below(view, found)

        instances = Instances(self._read, caller, self._read(caller, read))
        return [Reference(each.sop_class, each.sop_instance) for each in instances]

    def request(
        self,
        target: Target,
        transaction: str,
        references: Iterable[tuple[str, str]],
        watch: Watch | None = None,
    ) -> None:
        """Asks the target to keep instances, given by SOP class and SOP instance; its report may
        come before this returns. Blocks; `watch` as that of `Associations.open`. Raises
        NetworkProtocol, also if it refuses, and as that."""
        asked = [Reference(*each) for each in references]
        self.reports.begin(SERVER, transaction, target.called, asked)
        contexts = proposals((messages.PUSH_MODEL, SYNTAXES))
        with self.associations.open(target, contexts, watch=watch) as association:
            status = Requests(association, target.timeout).n_action(
                messages.PUSH_MODEL,
                messages.INSTANCE,
                messages.REQUEST,
                messages.action(transaction, asked),
            )
        if status != _SUCCESS:
            raise refused(target)

    async def remove(self, caller: Caller, transaction: str) -> None:
        """Deletes the instances of a transaction here, if the other side keeps all of them: of
        those that were asked for, never what only its report names. Raises InexistentItem,
        BadSequenceOfCalls, also where this server has asked nobody."""
        report = self.reports.get(caller, transaction)
        if report.status != "Success":
            raise BadSequenceOfCalls(
                "Cannot remove DICOM instances after failure in storage commitment transaction: "
                f"{transaction}"
            )
        if report.asked is None:
            raise BadSequenceOfCalls(
                "Cannot remove DICOM instances, this server has not asked for the storage "
                f"commitment transaction: {transaction}"
            )

        def publics(view: Snapshot) -> list[bytes]:
            return [
                found.public
                for each in report.kept
                for found in view.with_term(Level.INSTANCE, _SOP_INSTANCE, each.sop_instance)
            ]

        found = await asyncio.to_thread(self._read, caller, publics)
        await self._deletion.delete_listed(caller, [(Level.INSTANCE, each) for each in found])


def refused(target: Target) -> NetworkProtocol:
    """The other side has answered with a status that is no success."""
    return NetworkProtocol(
        f"Storage commitment - The request cannot be handled by remote AET: {target.called}"
    )
