"""What the DICOM door answers besides C-ECHO and C-STORE: each SOP class that stands here is
negotiated."""

from functools import partial

from orthanc_fast.config_plugins import Tenant
from orthanc_fast.network.commitment import Commitment
from orthanc_fast.network.door import Operations
from orthanc_fast.network.find import Find
from orthanc_fast.network.retrieval import Retrieve
from orthanc_fast.services.administration.meters import OperationMeter
from orthanc_fast.services.processes.dicom import DicomServices
from orthanc_fast.services.scp import sop_classes
from orthanc_fast.upper_layer import dimse
from orthanc_fast.upper_layer.handover import Handlers


def operations_of(services: DicomServices) -> Operations:
    """What is answered with responses of our own."""

    def meter(kind: str) -> OperationMeter:
        return OperationMeter(services.metrics, kind)

    find = {dimse.C_FIND_RQ: Find(services.answers, meter("find"))}
    # As with Orthanc, a C-MOVE has no pending response after its last sub-operation.
    move = {dimse.C_MOVE_RQ: Retrieve("C-MOVE", services.move, meter("move"), tells_last=False)}
    get = {dimse.C_GET_RQ: Retrieve("C-GET", services.get, meter("get"), tells_last=True)}
    worklists: Operations = {}
    if services.has_worklists:
        answer = Find(services.worklist_answers, meter("find"))
        worklists = {sop_classes.WORKLIST_FIND: {dimse.C_FIND_RQ: answer}}
    return _noted(
        services,
        {
            **worklists,
            **dict.fromkeys(sop_classes.QUERY_RETRIEVE_FIND, find),
            **dict.fromkeys(sop_classes.QUERY_RETRIEVE_MOVE, move),
            **dict.fromkeys(sop_classes.QUERY_RETRIEVE_GET, get),
        },
    )


def _noted(services: DicomServices, operations: Operations) -> Operations:
    """The same, with lines in the audit log where one is kept."""
    if services.audit is None:
        return operations
    from orthanc_fast.network.audited import audited

    return audited(operations, services.audit, services.dictionary, services.default_character_set)


def handlers_of(services: DicomServices) -> Handlers:
    """What pynetdicom answers."""
    return {sop_classes.STORAGE_COMMITMENT: Commitment(services).handlers}


def operations_of_tenant(services: DicomServices, tenant: Tenant) -> Operations:
    """What a server of some labels answers, with responses of our own: no C-GET, as with
    Orthanc."""
    find = Find(partial(services.tenant_answers, tenant), OperationMeter(services.metrics, "find"))
    move = Retrieve(
        "C-MOVE",
        partial(services.tenant_move, tenant),
        OperationMeter(services.metrics, "move"),
        tells_last=False,
    )
    return _noted(
        services,
        {
            **{each: {dimse.C_FIND_RQ: find} for each in sop_classes.QUERY_RETRIEVE_FIND},
            **{each: {dimse.C_MOVE_RQ: move} for each in sop_classes.QUERY_RETRIEVE_MOVE},
        },
    )
