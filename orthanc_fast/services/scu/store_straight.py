"""A DICOM file that is sent without being stored. Source: reference chapter 4, section 5.5."""

import threading

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import BadFileFormat, OrthancError
from orthanc_fast.services.exchange.instances import Outgoing, Presentation
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.scu.contexts import Rules
from orthanc_fast.services.scu.preparing import encoding_of
from orthanc_fast.services.scu.sending import Senders
from orthanc_fast.storage.arriving import Body
from orthanc_fast.storage.contract import Spool


class StoreStraight:
    """Sends of one process; waits for the peer."""

    def __init__(
        self, settings: Settings, main_tags: MainTags, dictionary: Dictionary, senders: Senders
    ) -> None:
        self._settings = settings
        self._main_tags = main_tags
        self._dictionary = dictionary
        self._senders = senders

    def send(self, modality: Modality, file: Body, stop: threading.Event) -> Outgoing:
        """What has been sent. The calling title is always that of this server, whatever the
        modality says. Blocks until `stop` at most. Raises BadFileFormat for what is no DICOM file,
        and as `Sending.send`."""
        data = file.buffer() if isinstance(file, Spool) else file
        sent = self._described(data)
        target = self._senders.associations.target(modality, local_aet=self._settings.dicom_aet)
        presentation = Presentation(sent.sop_class, sent.transfer_syntax)
        rules, watch = Rules(may_transcode=False), self._senders.associations.until(stop)
        with self._senders.open(target, [presentation], rules, watch) as sending:
            sending.send_file(presentation, sent.sop_instance, data)
        return sent

    def _described(self, data: Buffer) -> Outgoing:
        try:
            header = read_header(data, self._main_tags, self._dictionary)
        except OrthancError as error:
            raise BadFileFormat("The body is no DICOM file that could be sent") from error
        syntax = header.transfer_syntax or encoding_of(data)
        return Outgoing(0, b"", header.sop_class or "", header.sop_uid, syntax)
