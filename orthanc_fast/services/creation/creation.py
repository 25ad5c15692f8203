"""New instances that clients describe, into the store. Source: reference chapter 3, section 3.6."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.creation.building import Builder, Parent, legacy_file
from orthanc_fast.services.creation.request import UNKNOWN_PARENT, head, wanted
from orthanc_fast.services.ingest.contract import IngestRequest, Stored
from orthanc_fast.services.ingest.ingest import Ingest
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.store.lookup import first_instance
from orthanc_fast.services.store.reads import Reads

PARENT_IS_INSTANCE: Final = 2025
_AT_ONCE: Final = 16  # instances of a series that are on their way into the store together
_BYTES_AT_ONCE: Final = 32 << 20


class Creation:
    """Creates instances; one per process with an event loop."""

    def __init__(
        self,
        settings: Settings,
        reads: Reads,
        contents: Contents,
        ingest: Ingest,
        deletion: Deletion,
        dictionary: Dictionary,
        default_character_set: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._read = reads
        self._contents = contents
        self._ingest = ingest
        self._deletion = deletion
        self._dictionary = dictionary
        self._default_character_set = default_character_set

    async def create(self, caller: Caller, body: Mapping[str, Any]) -> list[Stored]:
        """What became of the instance, or of each instance of a series, that the body describes.

        Raises BadRequest, BadFileFormat, BadParameterType, ParameterOutOfRange, UnknownDicomTag,
        NotImplementedYet, OrthancError 2019 to 2025, and what `Ingest.store` raises. Nothing that
        was created is left then.
        """
        if "Tags" not in body:
            file = await asyncio.to_thread(
                legacy_file, body, self._dictionary, self._default_character_set()
            )
            return [await self._store(caller, file)]
        count, files, first = await asyncio.to_thread(self._begin, caller, body)
        if count == 1:
            return [await self._store(caller, first)]
        stored: list[Stored] = []
        try:
            await self._store_all(caller, count, files, first, stored)
        except BaseException:
            await self._undo(caller, stored)
            raise
        return stored

    def _begin(self, caller: Caller, body: Mapping[str, Any]) -> tuple[int, Iterator[bytes], bytes]:
        """How many files there will be, those that are still to be made, and the first one."""
        term, public = head(body)
        parent = None if public is None else self._parent(caller, public)
        asked = wanted(body, term, self._settings.default_private_creator)
        builder = Builder(asked, parent, self._dictionary, self._default_character_set())
        files = builder.files()
        return builder.count, files, next(files)

    def _parent(self, caller: Caller, text: str) -> Parent:
        public = from_text(text)
        found = None if public is None else self._read(caller, lambda view: _seek(view, public))
        if found is None:
            raise OrthancError(code=UNKNOWN_PARENT)
        resource, instance = found
        if resource.level == Level.INSTANCE:
            raise OrthancError(code=PARENT_IS_INSTANCE)
        return Parent(resource.level, self._contents.head_now(instance)[0])

    async def _store_all(
        self,
        caller: Caller,
        count: int,
        files: Iterator[bytes],
        first: bytes,
        stored: list[Stored],
    ) -> None:
        """One is made while others are being stored. Their order is that of the request."""
        waiting: list[asyncio.Task[Stored]] = []
        size = 0
        try:
            for number in range(count):
                file = await asyncio.to_thread(next, files) if number else first
                waiting.append(asyncio.create_task(self._store(caller, file)))
                size += len(file)
                if len(waiting) >= _AT_ONCE or size >= _BYTES_AT_ONCE:
                    await _settle(waiting, stored)
                    size = 0
        finally:
            await _settle(waiting, stored)

    async def _store(self, caller: Caller, file: bytes) -> Stored:
        return await self._ingest.store(IngestRequest(caller=caller, data=file))

    async def _undo(self, caller: Caller, stored: list[Stored]) -> None:
        """Removes what was created, not what had been there before."""
        new = [
            (Level.INSTANCE, each.publics[Level.INSTANCE])
            for each in stored
            if each.status == "Success"
        ]
        if new:
            await self._deletion.delete_listed(caller, new)


def _seek(view: Snapshot, public: bytes) -> tuple[Resource, Resource] | None:
    """The resource, and an instance of it."""
    resource = view.resource_of_any_level(public)
    instance = None if resource is None else first_instance(view, resource)
    return None if resource is None or instance is None else (resource, instance)


async def _settle(waiting: list[asyncio.Task[Stored]], stored: list[Stored]) -> None:
    """Waits for all, then raises the first error."""
    results = await asyncio.gather(*waiting, return_exceptions=True)
    waiting.clear()
    stored += [each for each in results if isinstance(each, Stored)]
    for each in results:
        if isinstance(each, BaseException):
            raise each
