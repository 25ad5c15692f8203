"""Transcoding as the doors use it: in threads of its own, with the latest results at hand.

Source: reference chapter 2, sections 8.1 and 8.3.
"""

import asyncio
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Protocol

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.model import Attachment
from orthanc_fast.services.attachments.reading import opened
from orthanc_fast.services.transcoding.transcode import Transcoded, check_syntax, transcode
from orthanc_fast.storage.contract import Storage

_LARGEST_SHARE = 4  # no result takes more than this part of the cache

_Key = tuple[str, str, int]  # attachment, transfer syntax, quality


class CacheMeters(Protocol):
    """Who counts what the cache does."""

    def asked(self, found: bool) -> None: ...
    def holds(self, results: int, size: int) -> None: ...


class Transcoder:
    """One per process; may be used from any thread. The attachments that it is given have been
    looked up for a caller, who is not asked for again."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        dictionary: Dictionary,
        meters: "CacheMeters",
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._dictionary = dictionary
        threads = min(settings.transcoder_threads_count, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="transcoder")
        self._latest = _Latest(settings.transcoder_cache_size << 20, meters)

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

    def once(self, attachment: Attachment, uid: str, quality: int) -> asyncio.Future[Transcoded]:
        """As `stored`, of one of many files that pass by: the cache is left to what is asked for
        again."""
        work = partial(self._made, attachment, uid, quality)
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _stored(self, attachment: Attachment, key: _Key) -> Transcoded:
        _, uid, quality = key
        made = self._made(attachment, uid, quality)
        self._latest.put(key, made)
        return made

    def _made(self, attachment: Attachment, uid: str, quality: int) -> Transcoded:
        file = opened(self._storage, attachment)
        return transcode(file, uid, quality, self._dictionary)

    def close(self) -> None:
        """Waits for what is under way."""
        self._threads.shutdown()


class _Latest:
    """The latest results, up to `capacity` bytes."""

    def __init__(self, capacity: int, meters: "CacheMeters") -> None:
        self._meters = meters
        self._capacity = capacity
        self._size = 0
        self._results: OrderedDict[_Key, Transcoded] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _Key) -> Transcoded | None:
        with self._lock:
            found = self._results.get(key)
            self._meters.asked(found is not None)
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
            self._meters.holds(len(self._results), self._size)
