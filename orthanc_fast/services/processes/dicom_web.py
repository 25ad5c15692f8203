"""What an HTTP worker opens for DICOMweb, with the first request that needs it."""

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from orthanc_fast.model import Caller
from orthanc_fast.services.dicom_web.bulk_data import BulkValues
from orthanc_fast.services.dicom_web.file_steps import FileReader
from orthanc_fast.services.dicom_web.frame_parts import FrameParts
from orthanc_fast.services.dicom_web.metadata import Metadata
from orthanc_fast.services.dicom_web.rendering import Renderings
from orthanc_fast.services.dicom_web.retrieval import Retrieval
from orthanc_fast.services.dicom_web.searching import Searching
from orthanc_fast.services.dicom_web.storing import Storing
from orthanc_fast.services.dicom_web_client.registry import DicomWebServers
from orthanc_fast.services.pixels.pictures import Pictures
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.processes.resources import ResourceServices

if TYPE_CHECKING:
    from orthanc_fast.services.dicom_web_client.exchange import DicomWebExchange
    from orthanc_fast.services.exchange.outgoing import OutgoingCalls


class DicomWebServices:
    """The services of DICOMweb over those of the worker."""

    def __init__(
        self,
        services: ResourceServices,
        pixels: Pixels,
        pictures: Pictures,
        outgoing: "Callable[[], OutgoingCalls]",
    ) -> None:
        self._outgoing = outgoing
        self._services = services
        self.options = services.settings.dicom_web
        self.targets = services.dicom_web_targets
        self._ingest = services.ingest
        self.renderings = Renderings(self.targets, pixels, pictures)
        self.searching = Searching(
            services.reads, services.finder, self.options.qido_case_sensitive
        )
        self.files = FileReader(services.storage)
        self.retrieval = Retrieval(
            services.reads,
            services.contents,
            services.transcoder,
            self.targets,
            self.files,
            services.settings.dicom_lossy_transcoding_quality,
        )
        self.frames = FrameParts(
            services.storage,
            pixels,
            self.files,
            services.settings.dicom_lossy_transcoding_quality,
        )

    @cached_property
    def metadata(self) -> Metadata:
        """Metadata of studies, series and instances."""
        services = self._services
        return Metadata(
            self.options,
            services.reads,
            services.storage,
            self.targets,
            services.metadata_cache,
            services.series_json,
            services.dictionary,
            services.default_character_set,
        )

    @cached_property
    def bulk_values(self) -> BulkValues:
        """Values that metadata name by an address."""
        services = self._services
        return BulkValues(services.reads, services.storage, self.targets, services.dictionary)

    def close(self) -> None:
        """Waits for what threads are doing."""
        self.frames.close()
        self.files.close()

    def storing(self, caller: Caller, study: str | None) -> Storing:
        """For the instances of one request; only those of the study, if there is one."""
        return Storing(self._ingest, caller, study)

    @cached_property
    def servers(self) -> DicomWebServers:
        """Servers of DICOMweb that this one knows."""
        own = self._services
        return DicomWebServers(own.settings, own.reads, own.writes, own.runtime)

    async def exchange(self) -> "DicomWebExchange":
        """What is asked of them. The library for HTTP calls is large: it is opened with the first
        call, in a thread."""
        return await asyncio.to_thread(lambda: self._exchange)

    @cached_property
    def _exchange(self) -> "DicomWebExchange":
        from orthanc_fast.services.dicom_web_client.calls import WebCalls
        from orthanc_fast.services.dicom_web_client.exchange import DicomWebExchange

        own = self._services
        calls = WebCalls(own.settings, self._outgoing())
        return DicomWebExchange(own.reads, self.servers, calls, own.dictionary)
