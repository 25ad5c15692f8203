"""What every worker opens: the store for reading and writing, and the way in."""

import asyncio
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from orthanc_fast.config import Settings
from orthanc_fast.config_audit import AuditLog as AuditOptions
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import StorageFault
from orthanc_fast.index.contract import Index
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.services.administration.default_character_set import DefaultCharacterSet
from orthanc_fast.services.administration.meters import (
    IngestMeter,
    LogCounter,
    RecordingStorageMeters,
)
from orthanc_fast.services.administration.metrics import Metrics
from orthanc_fast.services.dicom_web.stable_series import StableSeries
from orthanc_fast.services.dicom_web.targets import Targets
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.ingest.ingest import Ingest
from orthanc_fast.services.jobs.jobs import Jobs
from orthanc_fast.services.retention.housekeeping import Housekeeping
from orthanc_fast.services.scp.policy import SessionPolicy
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.moves import Moves
from orthanc_fast.services.scu.sending import Senders
from orthanc_fast.services.storage_commitment.reports import Reports
from orthanc_fast.services.store.file_effects import CHANGES, FileEffects
from orthanc_fast.services.store.opening import (
    INDEX_FOLDER,
    open_dictionary,
    open_index,
    open_runtime,
    open_storage,
)
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.storage.upload_memory import UploadMemory

if TYPE_CHECKING:
    from orthanc_fast.services.audit.log import AuditLog
    from orthanc_fast.services.dicom_web.metadata_cache import MetadataCache
    from orthanc_fast.services.dicom_web.series_json import SeriesJson
    from orthanc_fast.services.scripts.calls import Calls
    from orthanc_fast.services.worklists.database import Database
    from orthanc_fast.services.worklists.folder import Folder
    from orthanc_fast.services.worklists.housekeeping import WorklistHousekeeping


class WorkerServices:
    """The store as every worker has it. `slot` is the stable name of the process, `loop` its event
    loop; without one promises are told in the threads that wait for them."""

    def __init__(
        self, settings: Settings, slot: str, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """Raises OrthancError where the store cannot be opened."""
        self.settings = settings
        self.slot = slot
        self.dictionary = open_dictionary(settings)
        self.main_tags = MainTags(self.dictionary, settings.extra_main_dicom_tags)
        self.storage = open_storage(settings, slot)
        self.upload_memory = UploadMemory(settings.maximum_uploads_memory_mb << 20)
        self.index: Index = open_index(settings, self.storage)
        self.runtime: Runtime = open_runtime(settings)
        self.reads = Reads(self.index)
        self.metrics = Metrics(settings.index_directory / INDEX_FOLDER, slot)
        self.storage.meters = RecordingStorageMeters(self.metrics)
        self._log_counter = LogCounter(self.metrics)
        self._log_counter.start()
        announce = partial(self.runtime.bell.ring, CHANGES)
        self.writer = self.index.writer(FileEffects(self.storage, announce), loop)
        self.writes = Writes(self.writer, loop)
        self.default_character_set = DefaultCharacterSet(self.runtime, settings.default_encoding)
        self.ingest = Ingest(
            settings,
            self.reads,
            self.storage,
            self.writes,
            self.main_tags,
            self.dictionary,
            self.default_character_set,
            self._transcode_stored(may_lose=True),
            loop,
        )
        self.ingest.took = IngestMeter(self.metrics)
        self.script_calls = None if settings.scripting is None else self._open_scripts()
        self.audit = None if settings.audit_log is None else self._open_audit(settings.audit_log)
        self._worklist_housekeeping: WorklistHousekeeping | None = None
        self._stable_series = self._keep_metadata_of_stable_series()
        self.housekeeping = Housekeeping(
            self.index,
            self.storage,
            settings.stable_age,
            announce,
            self._stable_series.announce if self._stable_series else lambda _: None,
        )

    def _open_audit(self, options: AuditOptions) -> "AuditLog":
        """Where the configuration wants to know who did what."""
        from orthanc_fast.services.audit.log import AuditLog
        from orthanc_fast.services.audit.subjects import Subjects

        lost = self.metrics.counter("orthanc_audit_lost_count")
        try:
            audit = AuditLog(options, Subjects(self.reads), lost.add)
        except OSError as error:
            raise StorageFault(
                f"AuditLog: the file cannot be written: {error.strerror}", private=options.path
            ) from error
        self.ingest.noted = audit.stored
        return audit

    def _open_scripts(self) -> "Calls":
        """Where there are any: they are asked about what arrives."""
        from orthanc_fast.services.scripts.calls import Calls
        from orthanc_fast.services.scripts.instances import InstanceScripts

        calls = Calls(self.settings, self.runtime, self.dictionary)
        self.ingest.hooks.scripts = InstanceScripts(
            calls, self.dictionary, self.default_character_set
        )
        return calls

    def _transcode_stored(self, may_lose: bool) -> Callable[[Buffer], bytes | None] | None:
        """What IngestTranscoding makes of files; None without it."""
        if not self.settings.ingest_transcoding:
            return None
        # The imaging room is large: only whoever transcodes loads it.
        from orthanc_fast.services.transcoding.arriving import ArrivingFiles

        return ArrivingFiles(self.settings, self.dictionary, may_lose).transcoded

    def _keep_metadata_of_stable_series(self) -> StableSeries | None:
        options = self.settings.dicom_web
        modes = (options.studies_metadata, options.series_metadata)
        is_used = options.enable and options.enable_metadata_cache and "Full" in modes
        if not is_used or self.settings.read_only:
            return None
        return StableSeries(self.reads, lambda: self.metadata_cache)

    @cached_property
    def dicom_web_targets(self) -> Targets:
        """Resources by their UIDs, as DICOMweb names them."""
        return Targets(self.reads)

    @cached_property
    def series_json(self) -> "SeriesJson":
        """Metadata of DICOMweb from files."""
        from orthanc_fast.services.dicom_web.series_json import SeriesJson

        return SeriesJson(
            self.reads,
            self.storage,
            self.dicom_web_targets,
            self.dictionary,
            self.default_character_set,
            self.settings.dicom_web.other_binary_mode,
        )

    @cached_property
    def metadata_cache(self) -> "MetadataCache":
        """Metadata of DICOMweb that are kept."""
        from orthanc_fast.services.dicom_web.metadata_cache import MetadataCache

        return MetadataCache(
            self.settings,
            self.reads,
            self.writes,
            self.storage,
            self.series_json,
            self.default_character_set,
        )

    @cached_property
    def worklist_shelf(self) -> "Folder | Database":
        """The worklists for modalities, where they are enabled."""
        from orthanc_fast.services.worklists.opening import open_shelf

        assert self.settings.worklists is not None
        return open_shelf(
            self.settings.worklists,
            self.index,
            self.dictionary,
            self.default_character_set,
            self.runtime,
        )

    def keep_worklists(self) -> None:
        """Begins the housekeeping of worklists, where the configuration wants it."""
        options = self.settings.worklists
        if options is None or not (options.delete_on_stable_study or options.expires):
            return
        from orthanc_fast.services.worklists.housekeeping import LOCK_FILE, WorklistHousekeeping

        self._worklist_housekeeping = WorklistHousekeeping(
            lambda: self.worklist_shelf,
            self.reads,
            self.settings.index_directory / INDEX_FOLDER / LOCK_FILE,
            options,
        )

    @cached_property
    def modalities(self) -> ModalityRegistry:
        """The modalities of the configuration and of REST. Raises BadFileFormat."""
        return ModalityRegistry(self.settings, self.reads, self.writes, self.runtime)

    @cached_property
    def associations(self) -> Associations:
        """Associations with modalities that this server asks for."""
        return Associations(self.settings)

    @cached_property
    def senders(self) -> Senders:
        """Sending of stored instances to modalities."""
        found = Senders(self.settings, self.associations, self.storage, self.dictionary)
        if self.script_calls is not None:
            from orthanc_fast.services.scripts.outgoing import OutgoingScripts

            found.sends = OutgoingScripts(
                self.script_calls, self.storage, self.dictionary, self.default_character_set
            ).sends
        return found

    @cached_property
    def commitment_reports(self) -> Reports:
        """What modalities say of the storage commitments that were asked of them."""
        return Reports(self.settings, self.runtime)

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs of the server."""
        return Jobs(self.runtime, self.writes, self.settings, self.slot)

    @cached_property
    def moves(self) -> Moves:
        """The C-MOVEs of this server that are under way."""
        return Moves(self.runtime)

    @cached_property
    def scp_policy(self) -> SessionPolicy:
        """What the DICOM server accepts."""
        return SessionPolicy(self.settings.raw, self.runtime)

    def close(self) -> None:
        """Completes what is queued, then closes the store."""
        self.housekeeping.stop()
        if self._worklist_housekeeping is not None:
            self._worklist_housekeeping.stop()
        if "worklist_shelf" in vars(self):  # somebody has asked for them
            self.worklist_shelf.close()
        if self._stable_series is not None:
            self._stable_series.stop()
        self.writer.stop()
        self.ingest.close()
        if self.audit is not None:
            self.audit.close()
        if self.script_calls is not None:
            self.script_calls.close()
        self.index.close()
        self._log_counter.stop()
        self.runtime.close()
