"""The job that retrieves from a modality by C-GET: what it sends comes on our own association, and
goes the way of what the DICOM door receives. Source: reference chapter 4, section 6."""

from typing import Final

import msgspec

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import NetworkProtocol
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.ingest.contract import UploadMemory
from orthanc_fast.services.ingest.receiving import InstanceSink
from orthanc_fast.services.ingest.store_requests import Outcome, StoreRequests
from orthanc_fast.services.jobs.contract import Kind, Run
from orthanc_fast.services.scp.policy import ScpPolicy
from orthanc_fast.services.scu.associating import Associations, DimseFailure
from orthanc_fast.services.scu.get_contexts import classes_to_get, proposals, roles
from orthanc_fast.services.scu.retrieval import Retrieval
from orthanc_fast.services.scu.retrieve_job import Contexts, KeyEncoder, Running
from orthanc_fast.services.scu.retrieve_orders import GET_JOB, Wanted
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.failures import RequestFailed
from orthanc_fast.upper_layer.requests import Requests

PATIENT_ROOT: Final = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT: Final = "1.2.840.10008.5.1.4.1.2.2.3"

_WITHOUT_ROLES: Final = "SiemensSyngoCT"  # refuses associations that select roles


class Receiving(msgspec.Struct, frozen=True):
    """Where what comes goes to, as at the DICOM door: data sets of more than `largest` bytes go to
    a spool."""

    store: InstanceSink
    memory: UploadMemory
    largest: int
    policy: ScpPolicy


class GetJob(Kind):
    """C-GETs of one process."""

    name = GET_JOB

    def __init__(self, associations: Associations, keys: KeyEncoder, receiving: Receiving) -> None:
        self.associations = associations
        self.keys = keys
        self.receiving = receiving

    def run(self, run: Run) -> None:
        _Getting(self, run).all()


class _Getting(Running):
    def __init__(self, kind: GetJob, run: Run) -> None:
        super().__init__(kind.associations, kind.keys, run)
        self._receiving = kind.receiving
        self._message_id = 0

    def contexts(self, wanted: Wanted) -> Contexts:
        policy = self._receiving.policy
        classes = classes_to_get(policy, wanted.sop_classes)
        proposed = proposals(_root(wanted), classes, policy.syntaxes(), wanted.modalities)
        if self.order.modality.manufacturer == _WITHOUT_ROLES:
            return Contexts(proposed)
        return Contexts(proposed, roles(classes))

    def retrieve(self, association: Association, requests: Requests) -> int:
        root = _root(self.wanted)
        syntax = association.context_of(root).transfer_syntax
        identifier = self.keys(self.wanted.get_keys(), syntax)
        stores = self._stores(association)
        self._message_id = self._message_id % 0xFFFF + 1
        try:
            requests.get(root, identifier, self._message_id)
            retrieval = Retrieval(
                "C-GET", root, association, requests, self.target.timeout, self.watch, stores
            )
            result = retrieval.result()
        except RequestFailed as error:
            raise NetworkProtocol(
                f'C-GET SCU to AET "{self.target.called}" has failed to receive DIMSE command: '
                f"{error.text}"
            ) from error
        finally:
            stores.end()
            self.detail.received = sorted(set(self.detail.received))
        self.detail.failed = result.failed
        return result.status

    def _stores(self, association: Association) -> StoreRequests:
        receiving = self._receiving
        found = StoreRequests(
            association,
            receiving.store,
            receiving.memory,
            receiving.largest,
            lambda sop_class: sop_class not in (PATIENT_ROOT, STUDY_ROOT),
            self._told,
        )
        found.open(
            Caller(
                origin="DicomProtocol",
                address=association.ip,
                aet=self.target.called,
                called_aet=self.target.calling,
            )
        )
        return found

    def _told(self, outcome: Outcome) -> None:
        if outcome.stored is not None and not outcome.status:
            public = outcome.stored.publics[Level.INSTANCE]
            if public:  # else it was discarded before anybody knew
                self.detail.received.append(to_text(public))
            return
        instance = outcome.incoming.sop_instance.decode("latin-1")
        logger.error(
            Category.DICOM,
            f"Instance {instance} of a C-GET from AET {self.target.called} not stored, status "
            f"0x{outcome.status:04x}: {outcome.error}",
        )

    def refused(self, status: int) -> NetworkProtocol:
        return DimseFailure("C-GET", self.target, status)


def _root(wanted: Wanted) -> str:
    return PATIENT_ROOT if wanted.level == Level.PATIENT else STUDY_ROOT
