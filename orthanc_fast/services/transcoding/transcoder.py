"""Transcoding as the doors use it: in threads of its own, with the latest results at hand, and
for whatever is ingested.

Sources: reference chapter 2, sections 8.1 and 8.3; chapter 1, section 2.5; chapter 4, section 2.3.
"""

import asyncio
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from orthanc_fast._ext.scan import ScanError
from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import Buffer, open_encoding
from orthanc_fast.dicom.pixel_layout import find_layout
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Attachment
from orthanc_fast.services.attachments.reading import opened
from orthanc_fast.services.transcoding.transcode import Transcoded, check_syntax, transcode
from orthanc_fast.storage.files.area import StorageArea
from orthanc_fast.transfer_syntaxes import SYNTAXES

_UNCOMPRESSED = frozenset(uid for uid, syntax in SYNTAXES.items() if syntax.is_native)
_LARGEST_SHARE = 4  # no result takes more than this part of the cache

_Key = tuple[str, str, int]  # attachment, transfer syntax, quality


class Transcoder:
    """One per process; may be used from any thread."""

    def __init__(self, settings: Settings, storage: StorageArea, dictionary: Dictionary) -> None:
        self._settings = settings
        self._storage = storage
        self._dictionary = dictionary
        threads = min(settings.transcoder_threads_count, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="transcoder")
        self._latest = _Latest(settings.transcoder_cache_size << 20)

    async def stored(self, attachment: Attachment, uid: str, quality: int) -> Transcoded:
        """A stored DICOM file in another transfer syntax. Raises as `transcode` does, and as
        reading the file does."""
        check_syntax(uid)
        key = (attachment.uuid, uid, quality)
        found = self._latest.get(key)
        if found is None:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._threads, self._stored, attachment, key)
        return found

    def _stored(self, attachment: Attachment, key: _Key) -> Transcoded:
        _, uid, quality = key
        file = opened(self._storage, attachment)
        made = transcode(file, uid, quality, self._dictionary)
        self._latest.put(key, made)
        return made

    @property
    def is_ingesting(self) -> bool:
        """Whether what arrives is to be transcoded."""
        return bool(self._settings.ingest_transcoding)

    def ingested(self, data: Buffer) -> bytes | None:
        """An arriving DICOM file in the transfer syntax that the configuration asks for; None if it
        is to be stored as it is: by the rules, or because it cannot be transcoded. Takes its
        time."""
        target = self._settings.ingest_transcoding
        try:
            if not self._is_wanted(data, target):
                return None
            quality = self._settings.dicom_lossy_transcoding_quality
            return transcode(data, target, quality, self._dictionary).data
        except (OrthancError, ScanError) as error:
            logger.warning(Category.DICOM, f"An instance is stored without transcoding: {error}")
            return None

    def _is_wanted(self, data: Buffer, target: str) -> bool:
        source = open_encoding(data).known_syntax
        syntax = SYNTAXES.get(source or "")
        if source == target or syntax is None or syntax.is_video or not syntax.is_image:
            return False
        if source not in _UNCOMPRESSED:
            return self._settings.ingest_transcoding_of_compressed
        if not self._settings.ingest_transcoding_of_uncompressed:
            return False
        return target in _UNCOMPRESSED or find_layout(data) is not None

    def close(self) -> None:
        """Waits for what is under way."""
        self._threads.shutdown()


class _Latest:
    """The latest results, up to `capacity` bytes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._results: OrderedDict[_Key, Transcoded] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _Key) -> Transcoded | None:
        with self._lock:
            found = self._results.get(key)
            if found is not None:
                self._results.move_to_end(key)
            return found

    def put(self, key: _Key, result: Transcoded) -> None:
        if len(result.data) > self._capacity // _LARGEST_SHARE:
            return
        with self._lock:
            if key in self._results:
                return
            self._results[key] = result
            self._size += len(result.data)
            while self._size > self._capacity:
                _, oldest = self._results.popitem(last=False)
                self._size -= len(oldest.data)
