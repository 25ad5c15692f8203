"""What was stored under other settings is brought to those in force. Source: reference chapter 7,
section 7.3.

It runs in one process, the one that holds a lock on a file. How far it has come is in the index, so
that it goes on after a restart.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.config_plugins import Housekeeper as Options
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.log import Category, logger
from orthanc_fast.model import SERVER, SHA1, Level, Resource
from orthanc_fast.services.administration.reconstruct import Options as Wanted
from orthanc_fast.services.administration.reconstruct import Reconstruction
from orthanc_fast.services.key_values.global_properties import GlobalProperties
from orthanc_fast.services.store.lookup import records
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.transfer_syntaxes import SYNTAXES

LOCK_FILE: Final = "housekeeper.lock"
_PATIENCE = 1.0  # seconds between two looks at the lock, or at the clock
_SAVING = 1.0  # seconds after which progress is kept
_VERSION = 1
_PART: Final = 100 * SHA1  # studies that are read in one snapshot
_LEVELS: Final = {
    "Patient": Level.PATIENT,
    "Study": Level.STUDY,
    "Series": Level.SERIES,
    "Instance": Level.INSTANCE,
}


class Configuration(msgspec.Struct, frozen=True, rename="pascal"):
    """What of the configuration decides how things are stored."""

    dicom_web_version: str
    ingest_transcoding: str
    main_dicom_tags_signature: dict[str, str]
    orthanc_version: str
    storage_compression_enabled: bool


class Status(msgspec.Struct, rename="pascal"):
    """How far the work is. The numbers are those of studies in the order of their creation, -1 when
    there is nothing to do."""

    version: int = _VERSION
    last_processed_change: int = -1
    last_change_to_process: int = -1
    last_time_started: str = ""
    currently_processing_configuration: Configuration | None = None
    last_processed_configuration: Configuration | None = None


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Status).decode


def configuration_of(settings: Settings, main_tags: MainTags, version: str) -> Configuration:
    """That of this server; `version` is the one that `/system` tells."""
    names = (level.name.title() for level in Level)
    return Configuration(
        dicom_web_version="",
        ingest_transcoding=settings.ingest_transcoding,
        main_dicom_tags_signature=dict(zip(names, main_tags.signatures, strict=True)),
        orthanc_version=version,
        storage_compression_enabled=settings.storage_compression,
    )


class Housekeeper:
    """That of one process; `run` is its task."""

    def __init__(
        self,
        options: Options,
        configuration: Configuration,
        reads: Reads,
        writes: Writes,
        reconstruction: Reconstruction,
        folder: Path,
        now: Callable[[], time.struct_time] = time.localtime,
    ) -> None:
        """`folder` is where the lock is, `now` what the schedule goes by."""
        self._options = options
        self._configuration = configuration
        self._read = reads
        self._properties = GlobalProperties(reads, writes)
        self._reconstruction = reconstruction
        self._lock = folder / LOCK_FILE
        self._now = now
        self._saved = 0.0

    def status(self) -> Status:
        """As it was kept last. May wait for the index."""
        text = self._properties.get(SERVER, self._options.global_property_id)
        if not text:
            return Status()
        try:
            return _decode(text)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return Status()  # the property was somebody else's

    async def run(self) -> None:
        """Waits until this process is the one that does it, and returns when it is done. May be
        cancelled at any time: the study at hand is done again."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(descriptor):
                await asyncio.sleep(_PATIENCE)
            await self._work()
            # The lock is kept: what is done at a start is done once.
            await asyncio.Event().wait()
        finally:
            os.close(descriptor)

    async def _work(self) -> None:
        status = await self._read.run(self.status)
        needs = self._needs(status)
        if needs is None:
            status.currently_processing_configuration = None
            await self._keep(status)
            logger.info(Category.PLUGINS, "Housekeeper: there is nothing to do")
            return
        if status.currently_processing_configuration != self._configuration:
            status.currently_processing_configuration = self._configuration
            status.last_processed_change = -1
            status.last_change_to_process = -1
            async for study in self._studies(-1):
                status.last_change_to_process = study.id
        status.last_time_started = _moment()
        await self._keep(status)
        has_work = status.last_change_to_process > status.last_processed_change
        if has_work:
            logger.warning(
                Category.PLUGINS,
                f"Housekeeper: studies are reconstructed{' with files' * needs.files}",
            )
        async for study in self._studies(status.last_processed_change):
            if study.id > status.last_change_to_process:
                break
            await self._wait_for_schedule()
            await self._reconstruct(study, needs)
            status.last_processed_change = study.id
            if time.monotonic() - self._saved >= _SAVING:
                await self._keep(status)
            await asyncio.sleep(self._options.throttle_delay)
        status.last_processed_configuration = self._configuration
        status.currently_processing_configuration = None
        status.last_processed_change = status.last_change_to_process = -1
        await self._keep(status)
        if has_work:
            logger.warning(Category.PLUGINS, "Housekeeper: all studies are reconstructed")

    def _needs(self, status: Status) -> Wanted | None:
        """What is to be done with each study; None for nothing."""
        old, new, options = status.last_processed_configuration, self._configuration, self._options
        triggers = options.triggers
        was_compressed = old is not None and old.storage_compression_enabled
        has_other_files = was_compressed != new.storage_compression_enabled
        has_other_tags = (
            old is None or old.main_dicom_tags_signature != new.main_dicom_tags_signature
        )
        was_transcoded = "" if old is None else old.ingest_transcoding
        has_other_syntax = new.ingest_transcoding not in ("", was_transcoded)
        if has_other_syntax and SYNTAXES[new.ingest_transcoding].is_lossy:
            has_other_syntax = False
            logger.warning(
                Category.PLUGINS,
                "Housekeeper: IngestTranscoding is lossy: what is stored keeps its transfer "
                "syntax, since its pixels would change",
            )
        files = (triggers.storage_compression_change and has_other_files) or (
            triggers.ingest_transcoding_change and has_other_syntax
        )
        tags = triggers.main_dicom_tags_change and has_other_tags
        if not (files or tags or options.force):
            return None
        files = files or options.force_reconstruct_files
        limit = options.limit_main_dicom_tags_reconstruct_level
        return Wanted(
            files=files,
            only_other=not options.force_reconstruct_files,
            this_level=not files and limit != "All",
        )

    async def _studies(self, after: int) -> AsyncIterator[Resource]:
        """The studies that are there, in the order of their creation, from the one behind that with
        the number `after`."""
        publics = await self._read.run(self._read, SERVER, _by_creation)
        for start in range(0, len(publics), _PART):
            packed = publics[start : start + _PART]
            part = partial(_resources, packed=packed)
            for study in await self._read.run(self._read, SERVER, part):
                if study.id > after:
                    yield study

    async def _reconstruct(self, study: Resource, wanted: Wanted) -> None:
        try:
            if wanted.this_level:
                level = _LEVELS[self._options.limit_main_dicom_tags_reconstruct_level]
                for public in await self._read.run(self._at_level, study, level):
                    await self._reconstruction.run(SERVER, level, public, wanted)
            else:
                await self._reconstruction.run(SERVER, Level.STUDY, study.public, wanted)
        except UnknownResource:
            return  # it was deleted meanwhile
        except OrthancError as error:
            logger.error(
                Category.PLUGINS, f"Housekeeper: the study {study.public.hex()} failed: {error}"
            )

    def _at_level(self, study: Resource, level: Level) -> list[bytes]:
        if level == Level.PATIENT:
            return [study.parent_public]
        if level == Level.STUDY:
            return [study.public]
        return self._read(SERVER, lambda view: view.descendants(study, level))

    async def _wait_for_schedule(self) -> None:
        while True:
            now = self._now()
            if self._options.allows(now.tm_wday, now.tm_hour):
                return
            await asyncio.sleep(_PATIENCE)

    async def _keep(self, status: Status) -> None:
        self._saved = time.monotonic()
        text = _encode(status).decode()
        await self._properties.put(SERVER, self._options.global_property_id, text)


def _by_creation(view: Snapshot) -> bytes:
    return view.by_creation(Level.STUDY, view.listing_packed(Level.STUDY))


def _resources(view: Snapshot, packed: bytes) -> list[Resource]:
    return [each for found in records(view, Level.STUDY, packed) for each in found]


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _moment() -> str:
    now = time.time()
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}"
