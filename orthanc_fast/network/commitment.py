"""Storage commitment as others send it: N-ACTION and N-EVENT-REPORT, by pynetdicom's service class.
Source: reference chapter 4, section 5.8; PS3.4 annex J."""

from typing import Any, Final

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.services.processes.dicom import DicomServices
from orthanc_fast.services.storage_commitment import messages
from orthanc_fast.upper_layer import dimse
from orthanc_fast.upper_layer.operation_messages import Handler

_SUCCESS: Final = 0x0000
_PROCESSING_FAILURE: Final = 0x0110  # as pynetdicom answers where a handler raises

Answer = tuple[int, None]
"""A status, and no data set."""


class Commitment:
    """Answers the requests of one worker."""

    def __init__(self, services: DicomServices) -> None:
        self._services = services

    @property
    def handlers(self) -> dict[int, Handler]:
        """By the field of the request."""
        return {dimse.N_ACTION_RQ: self.action, dimse.N_EVENT_REPORT_RQ: self.event_report}

    def action(self, event: Any) -> Answer:
        """Others ask us to keep instances: a job will report to them. What is malformed ends the
        association, as with Orthanc."""
        try:
            _check(event.request.RequestedSOPInstanceUID)
            if event.action_type != messages.REQUEST:
                raise BadFileFormat(f"an N-ACTION of type {event.action_type}")
            transaction, references = messages.read_action(event.action_information)
        except BadFileFormat as error:
            return _malformed(event, error)
        self._services.commitment_orders.submit(_caller(event), transaction, references)
        return _SUCCESS, None

    def event_report(self, event: Any) -> Answer:
        """Others report on what we have asked of them."""
        try:
            _check(event.request.AffectedSOPInstanceUID)
            report = messages.read_event(event.event_type, event.event_information)
        except BadFileFormat as error:
            return _malformed(event, error)
        caller = _caller(event)
        counts = self._services.commitment_reports.complete(
            caller, report.transaction, caller.aet, report.success, report.failures
        )
        if not counts:  # the answer is the same: who has been heard already may have missed it
            logger.warning(
                Category.DICOM,
                f"{caller.aet} reports on the storage commitment {report.transaction}, which was "
                "asked of somebody else or is complete: the report does not count",
            )
        return _SUCCESS, None


def _check(instance: Any) -> None:
    if str(instance or "") != messages.INSTANCE:
        raise BadFileFormat(f"storage commitment of the instance {instance}")


def _malformed(event: Any, error: BadFileFormat) -> Answer:
    logger.error(Category.DICOM, f"Malformed request for storage commitment: {error.details}")
    event.assoc.abort()
    return _PROCESSING_FAILURE, None


def _caller(event: Any) -> Caller:
    agreement = event.assoc.agreement
    return Caller(
        origin="DicomProtocol",
        address=event.assoc.requestor.address,
        aet=agreement.calling,
        called_aet=agreement.called,
    )
