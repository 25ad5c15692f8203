"""What a worker opens that works on stored resources: one that answers HTTP, or runs jobs."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from orthanc_fast.config import Settings
from orthanc_fast.implementation import ORTHANC_VERSION
from orthanc_fast.services.administration.meters import TranscoderMeters
from orthanc_fast.services.administration.reconstruct import Reconstruction
from orthanc_fast.services.administration.renewal import Renewal
from orthanc_fast.services.archive.archives import Archives
from orthanc_fast.services.attachments.changes import Attachments
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.browse.change_log import ChangeLog
from orthanc_fast.services.browse.describe import Describer
from orthanc_fast.services.browse.exports import Exports
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.browse.labels import Labels
from orthanc_fast.services.browse.metadata import Metadata
from orthanc_fast.services.browse.metadata_names import MetadataNames
from orthanc_fast.services.browse.resources import Resources
from orthanc_fast.services.find.content import Presenter
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.options import find_options
from orthanc_fast.services.modification.dry_run import DryRuns
from orthanc_fast.services.modification.modification import Modification
from orthanc_fast.services.modification.orders import Orders
from orthanc_fast.services.modification.regrouping import Regrouping
from orthanc_fast.services.processes.every import WorkerServices
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.retention.protection import Protection
from orthanc_fast.services.storage_commitment.commitments import Commitments
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.services.transcoding.transcoder import Transcoder

if TYPE_CHECKING:
    from orthanc_fast.services.administration.housekeeper import Housekeeper


class ResourceServices(WorkerServices):
    """The services that read and change resources; those that are coroutines need the loop."""

    def __init__(
        self, settings: Settings, slot: str, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(settings, slot, loop)
        self.contents = Contents(self.storage)
        self.instance_tags = InstanceTags(
            self.reads, self.contents, self.dictionary, self.default_character_set
        )
        describer = Describer(self.dictionary)
        self.resources = Resources(self.reads, describer)
        self.metadata_names = MetadataNames(settings.user_metadata)
        self.finder = Finder(
            self.reads,
            self.instance_tags,
            self.dictionary,
            self.main_tags,
            find_options(settings.raw),
        )
        self.presenter = Presenter(self.reads, describer, self.metadata_names, self.finder.files)
        self.labels = Labels(self.reads, self.writes)
        self.metadata = Metadata(self.reads, self.writes, settings)
        self.protection = Protection(self.reads, self.writes)
        self.deletion = Deletion(self.writes)
        self.attachments = Attachments(settings, self.reads, self.writes, self.contents)
        self.change_log = ChangeLog(self.reads, self.writes, settings)
        self.exports = Exports(self.reads, self.writes, settings, self.attachments.parts)
        self.reconstruction = Reconstruction(
            self.reads,
            self.writes,
            self.contents,
            self._renewal(),
            self.main_tags,
            self.dictionary,
            self.default_character_set,
        )
        self.modification = Modification(
            settings,
            self.reads,
            self.writes,
            self.storage,
            self.dictionary,
            self.default_character_set,
        )
        self.modification_orders = Orders(settings, self.reads, self.main_tags, self.modification)
        self.regrouping = Regrouping(
            self.reads, self.contents, self.dictionary, self.default_character_set
        )
        self.dry_runs = DryRuns(
            self.reads,
            self.storage,
            self.dictionary,
            self.modification,
            self.modification_orders,
        )
        self.transcoder = Transcoder(
            settings, self.storage, self.dictionary, TranscoderMeters(self.metrics)
        )
        self.archives = Archives(
            self.reads, self.storage, self.dictionary, in_background=loop is None
        )

    def _renewal(self) -> Renewal:
        return Renewal(
            self.settings,
            self.reads,
            self.writes,
            self.contents,
            self.main_tags,
            self.dictionary,
            self.default_character_set,
            self._transcode_stored(may_lose=False),
        )

    @cached_property
    def commitments(self) -> Commitments:
        """Asks modalities to keep instances."""
        return Commitments(self.associations, self.commitment_reports, self.reads, self.deletion)

    @cached_property
    def housekeeper(self) -> "Housekeeper":
        """Brings what was stored under other settings to those in force, where it is enabled."""
        from orthanc_fast.services.administration.housekeeper import (
            Housekeeper,
            configuration_of,
        )

        assert self.settings.housekeeper is not None
        return Housekeeper(
            self.settings.housekeeper,
            configuration_of(self.settings, self.main_tags, ORTHANC_VERSION),
            self.reads,
            self.writes,
            self.reconstruction,
            self.settings.index_directory / INDEX_FOLDER,
        )

    def close(self) -> None:
        """As every worker's; waits for transcoding and packing that are under way."""
        self.archives.close()
        self.transcoder.close()
        super().close()
