"""The metadata of studies, series and instances. Source: PS3.18, section 10.4.1.1.2; reference
chapter 5, sections 4 and 12."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from itertools import chain
from typing import Final, NamedTuple

import msgspec
import xxhash

from orthanc_fast.config_sections import DicomWeb, MetadataMode
from orthanc_fast.dicom.attributes import BulkData, Dataset, read_attributes
from orthanc_fast.dicom.data_set_models import data_set_json, data_set_xml
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import InexistentItem, OrthancError
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.attachments.reading import dicom_attachment, opened
from orthanc_fast.services.dicom_web.index_attributes import IndexAttributes
from orthanc_fast.services.dicom_web.metadata_cache import MetadataCache
from orthanc_fast.services.dicom_web.series_json import (
    PLACE,
    SeriesJson,
    bulk_path,
    successor,
)
from orthanc_fast.services.dicom_web.targets import Targets
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.storage.contract import Storage

_INSTANCES_AT_ONCE: Final = 3000  # of which an event loop asks the index itself

_encode = msgspec.json.Encoder().encode


class Wanted(NamedTuple):
    """What was asked for: series with what their metadata depend on, or instances."""

    mode: MetadataMode
    extrapolated: tuple[str, ...]
    series: list[tuple[Resource, bytes]]
    instances: list[Resource]


class Metadata:
    """Answers requests for metadata."""

    def __init__(
        self,
        options: DicomWeb,
        reads: Reads,
        storage: Storage,
        targets: Targets,
        cache: MetadataCache,
        made: SeriesJson,
        dictionary: Dictionary,
        default_character_set: Callable[[], str],
    ) -> None:
        self.cache = cache
        self.options = options
        self._read = reads
        self._storage = storage
        self._targets = targets
        self._made = made
        self._dictionary = dictionary
        self._default_character_set = default_character_set
        self._index_attributes = IndexAttributes(
            reads, storage, targets, dictionary, default_character_set
        )

    async def wanted(self, caller: Caller, uids: Sequence[str]) -> Wanted:
        """What the path names by its UIDs. Raises InexistentItem."""
        found = await self._read.run(self._targets.require, caller, uids)
        options = self.options
        if found[0].level == Level.INSTANCE:
            return Wanted("Full", (), [], found)
        mode, tags = options.studies_metadata, options.studies_metadata_extrapolated_tags
        if found[0].level == Level.SERIES:
            mode, tags = options.series_metadata, options.series_metadata_extrapolated_tags
        series = await self._read.run(self._targets.series, caller, found)

        def read(view: Snapshot) -> list[tuple[Resource, bytes]]:
            return [(each, self.cache.state(view, each)) for each in series]

        if sum(each.counts[-1] for each in series) > _INSTANCES_AT_ONCE:
            stated = await asyncio.to_thread(self._read, caller, read)
        else:
            stated = await self._read.run(self._read, caller, read)
        return Wanted(mode, tags if mode == "Extrapolate" else (), stated, [])

    def version(self, wanted: Wanted, base: str, kind: str) -> str:
        """What changes whenever the answer does; `kind` is its form."""
        digest = xxhash.xxh3_128(_encode([wanted.mode, wanted.extrapolated, base, kind]))
        for _, state in wanted.series:
            digest.update(state)
        for instance in wanted.instances:
            digest.update(b"%d " % instance.id + instance.public)
            digest.update(self.cache.options)
        return digest.hexdigest()

    # JSON

    async def json(self, caller: Caller, wanted: Wanted, base: str) -> AsyncGenerator[bytes]:
        """The array of the objects of all instances; `base` is the address that ends in
        `/dicom-web/`."""
        place = _encode(base)[1:-1]
        comma = b"["
        for objects in self._groups(caller, wanted):
            async with aclosing(objects):
                async for part in objects:
                    if part:
                        yield comma + part.replace(PLACE, place)
                        comma = b""
            comma = comma or b","
        yield b"[]" if comma == b"[" else b"]"

    def _groups(self, caller: Caller, wanted: Wanted) -> Iterator[AsyncGenerator[bytes]]:
        """For each series, or for the instances, the objects with commas between them."""
        if wanted.instances:
            yield self._objects_of(caller, wanted.instances)
        for series, state in wanted.series:
            if wanted.mode == "Full":
                yield self._full(caller, series, state)
            else:
                yield self._of_index(caller, series, wanted.extrapolated)

    async def _objects_of(
        self, caller: Caller, instances: Sequence[Resource]
    ) -> AsyncGenerator[bytes]:
        comma = b""
        for instance in instances:
            found = await asyncio.to_thread(self._made.one, caller, instance)
            if found is None:
                raise InexistentItem("The instance has been deleted meanwhile")
            yield comma + found
            comma = b","

    async def _full(self, caller: Caller, series: Resource, state: bytes) -> AsyncGenerator[bytes]:
        kept = await self.cache.stream(series, state)
        stream = self.cache.recorded(caller, series, state) if kept is None else kept
        async with aclosing(stream):
            async for part in stream:
                yield part

    async def _of_index(
        self, caller: Caller, series: Resource, extrapolated: tuple[str, ...]
    ) -> AsyncGenerator[bytes]:
        parts = self._index_data_sets(caller, series, extrapolated)
        comma = b""
        while (group := await asyncio.to_thread(_objects, parts)) is not None:
            yield comma + group
            comma = b","

    def _index_data_sets(
        self, caller: Caller, series: Resource, extrapolated: tuple[str, ...]
    ) -> Iterator[list[Dataset]]:
        tags = [self._dictionary.parse(text) for text in extrapolated]
        return self._index_attributes.data_sets(caller, series, tags)

    # XML

    def documents(self, caller: Caller, wanted: Wanted, base: str) -> Iterator[bytes]:
        """One XML document for each instance, each made when it is asked for, in a thread."""
        for instance in wanted.instances:
            yield from self._full_documents(caller, [instance], base)
        for series, _ in wanted.series:
            if wanted.mode == "Full":
                instances = chain.from_iterable(self._targets.instances(caller, series))
                yield from self._full_documents(caller, instances, base)
            else:
                for group in self._index_data_sets(caller, series, wanted.extrapolated):
                    yield from map(data_set_xml, group)

    def _full_documents(
        self, caller: Caller, instances: Iterable[Resource], base: str
    ) -> Iterator[bytes]:
        for instance in instances:
            document = self._document(caller, instance, base)
            if document is not None:
                yield document

    def _document(self, caller: Caller, instance: Resource, base: str) -> bytes | None:
        """None for an instance that has been deleted."""
        above = self._read(caller, lambda view: view.ancestors(instance))
        if len(above) < Level.INSTANCE:
            return None
        try:
            data = opened(self._storage, dicom_attachment(instance))
        except OrthancError as error:
            later = successor(self._read, caller, instance, error)
            return None if later is None else self._document(caller, later, base)
        prefix = base + bulk_path((above[1], above[0], instance))
        bulk = BulkData(self.options.other_binary_mode, prefix)
        default = self._default_character_set()
        return data_set_xml(read_attributes(data, self._dictionary, default, bulk))

    # The cache

    def renew(self, caller: Caller, study: bytes) -> None:
        """Has the metadata of all series of a study kept; of one that is unknown nothing is
        done."""

        def read(view: Snapshot) -> list[Resource]:
            found = view.resource(Level.STUDY, study)
            return [] if found is None else [found]

        for series in self._targets.series(caller, self._read(caller, read)):
            self.cache.renew(series)


def _objects(parts: Iterator[list[Dataset]]) -> bytes | None:
    group = next(parts, None)
    return None if group is None else b",".join(map(data_set_json, group))
