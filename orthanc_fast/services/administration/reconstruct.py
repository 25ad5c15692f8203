"""Reading stored files anew: main tags as they are in force now, files as they would be stored now.
Source: reference chapter 1, section 5.3."""

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller, Header, Level, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.administration.renewal import Renewal
from orthanc_fast.services.attachments.reading import Contents, dicom_attachment
from orthanc_fast.services.ingest.records import sequences_metadata
from orthanc_fast.services.store.lookup import first_instance, found_or_raise
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes

# Instances that are read, then written to the index in one transaction.
AT_ONCE = 64


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`files`: the files are stored anew, too, or only those which would be `only_other` ones.
    `this_level`: only the tags of the resource itself, as one of its instances has them."""

    files: bool = False
    only_other: bool = False
    this_level: bool = False


class Reading(msgspec.Struct, frozen=True):
    """What the file of one instance says."""

    public: bytes
    uuid: str
    header: Header


class Reconstruction:
    """The reconstruction of one process; `encoding` gives the default character set."""

    def __init__(
        self,
        reads: Reads,
        writes: Writes,
        contents: Contents,
        renewal: Renewal,
        main_tags: MainTags,
        dictionary: Dictionary,
        encoding: Callable[[], str],
    ) -> None:
        self._read = reads
        self._write = writes
        self._contents = contents
        self._renewal = renewal
        self._main_tags = main_tags
        self._dictionary = dictionary
        self._encoding = encoding

    async def run(self, caller: Caller, level: Level, public: bytes, options: Options) -> None:
        """Reads the instances of a resource in ascending order: each gives its tags to itself and
        to all that stands above, so that the last one remains. Raises UnknownResource.

        A file that cannot be read does not keep the others from being read; its error is raised
        at the end.
        """
        only = level if options.this_level else None
        instances = await self._read.run(self._instances, caller, level, public, options)
        faults: list[OrthancError] = []
        for start in range(0, len(instances), AT_ONCE):
            part = instances[start : start + AT_ONCE]
            if options.files and not options.this_level:
                await self._renew(caller, part, options.only_other, faults)
            readings = await asyncio.to_thread(self._readings, caller, part, faults)
            await self._write(caller, SetTags(readings, self._main_tags.signatures, only))
        if faults:
            raise faults[0]

    async def run_all(self, caller: Caller, options: Options) -> None:
        """The same for all studies."""
        faults: list[OrthancError] = []
        studies = await self._read.run(self._studies, caller)
        for public in studies:
            try:
                await self.run(caller, Level.STUDY, public, options)
            except UnknownResource:
                continue  # it was deleted meanwhile
            except OrthancError as error:
                faults.append(error)
        if faults:
            raise faults[0]

    def _studies(self, caller: Caller) -> list[bytes]:
        return self._read(caller, lambda view: view.listing(Level.STUDY))

    def _instances(
        self, caller: Caller, level: Level, public: bytes, options: Options
    ) -> list[bytes]:
        """Those whose files are read."""

        def read(view: Snapshot) -> list[bytes]:
            resource = found_or_raise(view.resource(level, public))
            if not options.this_level:
                return view.descendants(resource, Level.INSTANCE)
            first = first_instance(view, resource)
            return [] if first is None else [first.public]

        return self._read(caller, read)

    def _readings(
        self, caller: Caller, instances: Iterable[bytes], faults: list[OrthancError]
    ) -> list[Reading]:
        """What the files say; waits for the disk."""
        encoding = self._encoding()
        found = []
        for public in instances:
            instance = self._instance(caller, public)
            if instance is None:
                continue
            try:
                attachment = dicom_attachment(instance)
                data = self._contents.content_now(attachment)
                header = read_header(data, self._main_tags, self._dictionary, encoding)
                found.append(Reading(public, attachment.uuid, header))
            except OrthancError as error:
                _note(public, error, faults)
        return found

    async def _renew(
        self,
        caller: Caller,
        instances: Iterable[bytes],
        only_other: bool,
        faults: list[OrthancError],
    ) -> None:
        for public in instances:
            try:
                await self._renewal.run(caller, public, only_other)
            except OrthancError as error:
                _note(public, error, faults)

    def _instance(self, caller: Caller, public: bytes) -> Resource | None:
        return self._read(caller, lambda view: view.resource(Level.INSTANCE, public))


def _note(public: bytes, error: OrthancError, faults: list[OrthancError]) -> None:
    logger.error(Category.GENERIC, f"Cannot reconstruct the instance {public.hex()}: {error}")
    faults.append(error)


class SetTags(Write[None]):
    """Gives instances, and what stands above, the tags of their files. `only` names the one level
    that is changed. What has been deleted or replaced meanwhile is left alone."""

    def __init__(
        self, readings: list[Reading], signatures: tuple[str, ...], only: Level | None
    ) -> None:
        self._readings = readings
        self._signatures = signatures
        self._only = only

    def apply(self, transaction: Transaction) -> None:
        above: dict[int, tuple[Resource, Header]] = {}
        for reading in self._readings:
            instance = transaction.resource(Level.INSTANCE, reading.public)
            file = None if instance is None else instance.attachments.get(DICOM_ATTACHMENT)
            if instance is None or file is None or file.uuid != reading.uuid:
                continue
            for resource in (instance, *transaction.ancestors(instance)):
                if self._only is None or resource.level == self._only:
                    above[resource.id] = (resource, reading.header)
        for resource, header in above.values():
            self._set(transaction, resource, header)

    def _set(self, transaction: Transaction, resource: Resource, header: Header) -> None:
        level = resource.level
        sequences = header.main_sequences[level]
        tags = header.main_tags[level]
        patient_tags = header.main_tags[Level.PATIENT] if level == Level.STUDY else {}
        text = sequences_metadata(sequences) if sequences else None
        transaction.set_main_tags(resource, tags, patient_tags, text, self._signatures[level])
