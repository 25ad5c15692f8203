"""IngestTranscoding: what arrives is stored in another transfer syntax.

Sources: reference chapter 1, section 2.5; chapter 4, section 2.3.
"""

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import Buffer, open_meta
from orthanc_fast.dicom.pixel_layout import find_layout
from orthanc_fast.log import Category, logger
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.transfer_syntaxes import SYNTAXES

_UNCOMPRESSED = frozenset(uid for uid, syntax in SYNTAXES.items() if syntax.is_native)


class ArrivingFiles:
    """The rules of the configuration for them; may be used from any thread."""

    def __init__(self, settings: Settings, dictionary: Dictionary, may_lose: bool = True) -> None:
        """Without `may_lose` pixels and identifiers stay what they are: what would change them is
        not done."""
        self._settings = settings
        self._may_lose = may_lose
        self._dictionary = dictionary

    def transcoded(self, data: Buffer) -> bytes | None:
        """A DICOM file in the transfer syntax that the configuration asks for; None if it is to be
        stored as it is: by the rules, or because it cannot be transcoded. Takes its time."""
        target = self._settings.ingest_transcoding
        try:
            if not self._is_wanted(data, target):
                return None
            quality = self._settings.dicom_lossy_transcoding_quality
            return transcode(data, target, quality, self._dictionary, self._may_lose).data
        except Exception as error:  # whatever a codec or its memory fails with: the file is there
            reason = str(error) or type(error).__name__
            logger.warning(Category.DICOM, f"An instance is stored without transcoding: {reason}")
            return None

    def _is_wanted(self, data: Buffer, target: str) -> bool:
        source = open_meta(data).known_syntax
        syntax = SYNTAXES.get(source or "")
        if source == target or syntax is None or syntax.is_video or not syntax.is_image:
            return False
        if SYNTAXES[target].is_lossy and not self._may_lose:
            return False
        if source not in _UNCOMPRESSED:
            return self._settings.ingest_transcoding_of_compressed
        if not self._settings.ingest_transcoding_of_uncompressed:
            return False
        return target in _UNCOMPRESSED or find_layout(data) is not None
