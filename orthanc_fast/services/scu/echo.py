"""C-ECHO to a modality. Source: reference chapter 4, section 5.4."""

from itertools import islice
from uuid import uuid4

from orthanc_fast.config import Settings
from orthanc_fast.config_options import Values
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.scp.sop_classes import VERIFICATION, WORKLIST_FIND
from orthanc_fast.services.scu.associating import Associations, failed_with, plain
from orthanc_fast.upper_layer.requestor import Target
from orthanc_fast.upper_layer.requests import Requests

PATIENT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"

_SUCCESS = 0x0000
_CANNOT_PROCESS = 0xC000
_INVALID_QUERY = " (unable to process - invalid query ?)"
_UNPROCESSABLE = 422  # as HTTP says it
_MOST_ANSWERS = 1000  # to a query for a study that nobody has


class Echo:
    """Asks modalities whether they answer."""

    def __init__(self, settings: Settings, associations: Associations) -> None:
        self._associations = associations
        self._checks_find = bool(Values(settings.raw)("DicomEchoChecksFind"))

    def __call__(
        self, modality: Modality, check_find: bool | None = None, timeout: int | None = None
    ) -> bool:
        """Whether the modality answers with success; with `check_find`, by default
        `DicomEchoChecksFind`, it is asked for a study too, and what that fails with is raised.
        Blocks.

        It is called with `DicomAet`, whatever its `LocalAet`. `timeout` as that of
        `Associations.target`. Raises what `Associations.open` and `target` raise.
        """
        checks_find = self._checks_find if check_find is None else check_find
        associations = self._associations
        target = associations.target(modality, local_aet=associations.aet, timeout=timeout)
        classes = [VERIFICATION]
        if checks_find:
            classes += [PATIENT_FIND, STUDY_FIND, WORKLIST_FIND]
        with associations.open(target, plain(*classes)) as association:
            requests = Requests(association, target.timeout)
            if requests.echo() != _SUCCESS:
                return False
            if checks_find:
                _find(requests, target)
        return True


def _find(requests: Requests, target: Target) -> None:
    """Asks for a study that nobody has. Raises NetworkProtocol, as queries do, unless that
    succeeds, whatever is found."""
    from pydicom.dataset import Dataset  # as pynetdicom is loaded: with the first request

    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = f"2.25.{uuid4().int}"
    status = [status for status, _ in islice(requests.find(STUDY_FIND, query), _MOST_ANSWERS)][-1]
    if status == _CANNOT_PROCESS:
        raise failed_with("C-FIND", target, status, _INVALID_QUERY, http_status=_UNPROCESSABLE)
    if status != _SUCCESS:
        raise failed_with("C-FIND", target, status)
