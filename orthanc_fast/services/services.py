"""Everything one worker process opens at its start, in one place."""

import asyncio
from collections.abc import Callable
from functools import cached_property

from orthanc_fast.config import Settings
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.errors import InternalError
from orthanc_fast.index.contract import Index
from orthanc_fast.model import Wish
from orthanc_fast.services.administration.default_character_set import DefaultEncoding
from orthanc_fast.services.administration.metrics import Metrics
from orthanc_fast.services.administration.metrics_switch import MetricsSwitch
from orthanc_fast.services.administration.reconstruct import Reconstruction
from orthanc_fast.services.attachments.changes import Attachments
from orthanc_fast.services.attachments.reading import Files
from orthanc_fast.services.browse.change_feed import ChangeFeed
from orthanc_fast.services.browse.change_log import ChangeLog
from orthanc_fast.services.browse.describe import Describer
from orthanc_fast.services.browse.exports import Exports
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.browse.labels import Labels
from orthanc_fast.services.browse.metadata import Metadata
from orthanc_fast.services.browse.metadata_names import MetadataNames
from orthanc_fast.services.browse.resources import Resources
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.find.content import Presenter
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.options import find_options
from orthanc_fast.services.ingest.ingest import Ingest
from orthanc_fast.services.ingest.unpack import Bounds
from orthanc_fast.services.ingest.uploads import Uploads
from orthanc_fast.services.pixels.pictures import Pictures
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.retention.housekeeping import Housekeeping
from orthanc_fast.services.retention.protection import Protection
from orthanc_fast.services.scp.policy import SessionPolicy
from orthanc_fast.services.store.file_effects import FileEffects
from orthanc_fast.services.store.opening import (
    INDEX_FOLDER,
    open_dictionary,
    open_index,
    open_storage,
)
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.services.transcoding.transcoder import Transcoder
from orthanc_fast.services.volumes.streaming import Streams
from orthanc_fast.services.volumes.volumes import Volumes
from orthanc_fast.storage.files.chunks import ChunkedFiles


def _nobody(wish: Wish) -> None:
    raise InternalError("this process has no supervisor")


class Services:
    """The store as the doors see it. `index` and `files` are for reading; the methods change it.

    The asynchronous methods belong to the event loop that `loop` names; a process without one (a
    DICOM worker) gives None and uses `ingest` and `deletion` with concurrent futures.
    """

    def __init__(
        self, settings: Settings, slot: str, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.settings = settings
        self.dictionary = open_dictionary(settings)
        self.main_tags = MainTags(self.dictionary, settings.extra_main_dicom_tags)
        self.storage = open_storage(settings, slot)
        self.index: Index = open_index(settings, self.storage)
        self.reads = Reads(self.index)
        self.files = Files(self.storage)
        self.chunks = ChunkedFiles(settings.storage_directory, self.storage.new_partial)
        self.pixels = Pixels(self.index, self.storage)
        options = find_options(settings.raw)
        self.pictures = Pictures(self.pixels, settings.http_workers, options.warn)
        self.writer = self.index.writer(FileEffects(self.storage), loop)
        self.writes = Writes(self.writer, loop)
        self.default_encoding = DefaultEncoding(self.reads, self.writes, settings.default_encoding)
        self.instance_tags = InstanceTags(
            self.reads, self.files, self.dictionary, self.default_encoding
        )
        self.volumes = Volumes(self.reads, self.pixels, Streams(self.pixels, self.storage))
        describer = Describer(self.dictionary)
        self.resources = Resources(self.reads, describer)
        self.metadata_names = MetadataNames(settings.user_metadata)
        self.finder = Finder(
            self.reads,
            self.instance_tags,
            self.dictionary,
            self.main_tags,
            options,
        )
        self.presenter = Presenter(self.reads, describer, self.metadata_names, self.finder.files)
        self.transcoder = Transcoder(settings, self.storage, self.dictionary)
        self.ingest = Ingest(
            settings,
            self.index,
            self.storage,
            self.writer,
            self.main_tags,
            self.dictionary,
            self.default_encoding,
            self.transcoder,
            loop,
        )
        self.uploads = Uploads(self.ingest, Bounds.of(settings))
        self.labels = Labels(self.reads, self.writes)
        self.metadata = Metadata(self.reads, self.writes, settings)
        self.protection = Protection(self.reads, self.writes)
        self.deletion = Deletion(self.writes)
        self.attachments = Attachments(settings, self.reads, self.writes, self.files)
        self.change_log = ChangeLog(self.reads, self.writes, settings)
        self.exports = Exports(self.reads, self.writes, settings, self.attachments.files)
        self.reconstruction = Reconstruction(
            self.reads,
            self.writes,
            self.files,
            self.attachments,
            self.main_tags,
            self.dictionary,
            self.default_encoding,
        )
        self.change_feed = ChangeFeed(self.index)
        self.metrics_switch = MetricsSwitch(self.reads, self.writes, settings)
        self.metrics = Metrics(settings.index_directory / INDEX_FOLDER, slot)
        self.is_http_secure = True
        self.ask: Callable[[Wish], None] = _nobody
        self.housekeeping = Housekeeping(self.index, self.storage, settings.stable_age)

    @cached_property
    def modalities(self) -> ModalityRegistry:
        """The modalities of the configuration and of REST. Raises BadFileFormat."""
        return ModalityRegistry(self.settings, self.reads, self.writes)

    @cached_property
    def scp_policy(self) -> SessionPolicy:
        """What the DICOM server accepts."""
        return SessionPolicy(self.settings.raw, self.reads, self.writes)

    def close(self) -> None:
        """Completes what is queued, then closes the store."""
        self.housekeeping.stop()
        self.ingest.close()
        self.transcoder.close()
        self.volumes.close()
        self.pictures.close()
        self.writer.stop()
        self.index.close()
