"""What the DICOM door answers besides C-ECHO and C-STORE: each SOP class that stands here is
negotiated."""

from orthanc_fast.network.commitment import Commitment
from orthanc_fast.network.door import Operations
from orthanc_fast.network.find import Find
from orthanc_fast.services.administration.meters import OperationMeter
from orthanc_fast.services.processes.dicom import DicomServices
from orthanc_fast.services.scp import sop_classes
from orthanc_fast.upper_layer import dimse
from orthanc_fast.upper_layer.handover import Handlers


def operations_of(services: DicomServices) -> Operations:
    """What is answered with responses of our own."""
    find = {dimse.C_FIND_RQ: Find(services, OperationMeter(services.metrics, "find"))}
    return dict.fromkeys(sop_classes.QUERY_RETRIEVE_FIND, find)


def handlers_of(services: DicomServices) -> Handlers:
    """What pynetdicom answers."""
    return {sop_classes.STORAGE_COMMITMENT: Commitment(services).handlers}
