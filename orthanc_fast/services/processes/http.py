"""What an HTTP worker opens beside what works on resources: uploads, pictures, and who waits."""

import asyncio
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from orthanc_fast.config import Settings
from orthanc_fast.model import SERVER, Caller, Level, Wish
from orthanc_fast.services.administration.figures import LATENCY, Figures
from orthanc_fast.services.administration.health import Health
from orthanc_fast.services.administration.history import History, Sample
from orthanc_fast.services.administration.integrity import Integrity
from orthanc_fast.services.browse.change_feed import ChangeFeed
from orthanc_fast.services.creation.creation import Creation
from orthanc_fast.services.ingest.unpack import Bounds
from orthanc_fast.services.ingest.uploads import Uploads
from orthanc_fast.services.peers.registry import PeerRegistry
from orthanc_fast.services.pixels.pictures import Pictures
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.processes.dicom_web import DicomWebServices
from orthanc_fast.services.processes.resources import ResourceServices
from orthanc_fast.services.scu.answers import AnswerReader
from orthanc_fast.services.scu.echo import Echo
from orthanc_fast.services.scu.find import FindScu
from orthanc_fast.services.scu.queries import Queries
from orthanc_fast.services.scu.querying import Querying
from orthanc_fast.services.scu.retrieving import Retrieving
from orthanc_fast.services.scu.store_straight import StoreStraight
from orthanc_fast.services.scu.template_find import TemplateFind
from orthanc_fast.services.scu.worklist import Worklists
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.services.store.session import SessionOption
from orthanc_fast.services.users.guesses import Guesses
from orthanc_fast.services.users.sessions import Sessions
from orthanc_fast.services.volumes.streaming import Streams
from orthanc_fast.services.volumes.volumes import Volumes

if TYPE_CHECKING:
    from orthanc_fast.services.exchange.outgoing import OutgoingCalls
    from orthanc_fast.services.peers.exchange import PeerExchange
    from orthanc_fast.services.routing.overview import Overview
    from orthanc_fast.services.routing.trying import Trials
    from orthanc_fast.services.scu.querying import Changed
    from orthanc_fast.services.viewers.applications import Applications
    from orthanc_fast.services.viewers.folders import Folders
    from orthanc_fast.services.webdav.webdav import WebDav
    from orthanc_fast.services.worklists.registry import WorklistRegistry


class HttpServices(ResourceServices):
    """The store as REST sees it. `ask` passes on what a client wants of the whole server;
    `is_secure` says whether strangers are kept out."""

    def __init__(
        self,
        settings: Settings,
        slot: str,
        loop: asyncio.AbstractEventLoop,
        ask: Callable[[Wish], None],
        is_secure: bool,
    ) -> None:
        super().__init__(settings, slot, loop)
        self.ask = ask
        self.is_secure = is_secure
        self.uploads = Uploads(self.ingest, self.storage, Bounds.of(settings), self.upload_memory)
        self.creation = Creation(
            settings,
            self.reads,
            self.contents,
            self.ingest,
            self.deletion,
            self.dictionary,
            self.default_character_set,
        )
        self.peers = PeerRegistry(settings, self.reads, self.writes, self.runtime)
        self.pixels = Pixels(self.index, self.storage, not self.settings.read_only)
        self.pictures = Pictures(self.pixels, settings.http_workers, self.finder.options.warn)
        self.volumes = Volumes(self.reads, self.pixels, Streams(self.pixels, self.storage))
        self.straight = StoreStraight(settings, self.main_tags, self.dictionary, self.senders)
        self.queries = Queries(self.runtime, settings.query_retrieve_size, slot)
        find = FindScu(
            self.associations,
            self.modalities,
            self.dictionary,
            self.default_character_set,
            AnswerReader(self.dictionary, self.default_character_set),
        )
        self.querying = Querying(find, self.queries, self._changed_queries())
        self.retrieving = Retrieving(settings, self.modalities, self.queries, self.dictionary)
        self.worklists = Worklists(find)
        self.template_find = TemplateFind(find)
        self.change_feed = ChangeFeed(self.index, self.runtime.bell)
        self.sessions = Sessions(
            self.reads, self.writes, settings.users, not settings.authentication_enabled
        )
        self.guesses = Guesses(self.runtime)
        self.figures = Figures(
            settings, self.metrics, self.resources, self.jobs, self._other_figures
        )
        self.health = Health(settings, self.reads)
        self.integrity = Integrity(settings, self.reads)
        self.history = History(settings.index_directory / INDEX_FOLDER, self._sample)
        self.echo = Echo(settings, self.associations)
        self.metrics_enabled = SessionOption(
            self.runtime, "metrics-enabled", bool, settings.metrics_enabled
        )
        self.keep_worklists()

    @cached_property
    def worklist_registry(self) -> "WorklistRegistry":
        """The worklists that modalities ask this server for, where they are enabled."""
        from orthanc_fast.services.worklists.registry import WorklistRegistry

        assert self.settings.worklists is not None
        return WorklistRegistry(
            self.worklist_shelf, self.dictionary, self.settings.worklists.set_study_uid
        )

    def _sample(self) -> Sample:
        totals = self.metrics.totals()
        requests = f"{LATENCY}_count"
        return Sample(
            time=time.time(),
            instances=self.resources.totals(SERVER).resources[Level.INSTANCE],
            written_bytes=totals.get("orthanc_storage_written_bytes", 0.0),
            read_bytes=totals.get("orthanc_storage_read_bytes", 0.0),
            requests=sum(each for name, each in totals.items() if name.startswith(requests)),
        )

    def _other_figures(self, caller: Caller) -> dict[str, float]:
        routing = {} if self.routing is None else self.routing.figures(caller)
        return routing | self.integrity.figures(caller) | self.health.figures()

    @cached_property
    def routing(self) -> "Overview | None":
        """The queues of routing, where that is configured."""
        if self.settings.routing is None:
            return None
        from orthanc_fast.services.routing.added import Current
        from orthanc_fast.services.routing.overview import Overview

        current = Current(self.settings.routing, self.reads)
        return Overview(current, self.reads, self.writes, self.runtime.bell)

    async def routing_trials(self) -> "Trials":
        """Tries of rules, loaded in a thread with the first one."""
        return await asyncio.to_thread(lambda: self._routing_trials)

    @cached_property
    def _routing_trials(self) -> "Trials":
        from orthanc_fast.services.processes.routing_doors import trials_of

        assert self.routing is not None
        return trials_of(self, self.routing.current)

    def _changed_queries(self) -> "Changed | None":
        """What scripts make of queries, where there are any."""
        if self.script_calls is None:
            return None
        from orthanc_fast.services.scripts.query_filters import QueryFilters

        return QueryFilters(self.script_calls, self.dictionary).outgoing

    @cached_property
    def dicom_web(self) -> DicomWebServices:
        """What DICOMweb needs beyond that."""
        return DicomWebServices(self, self.pixels, self.pictures, lambda: self.outgoing)

    @cached_property
    def webdav(self) -> "WebDav":
        """The store as folders and files."""
        from orthanc_fast.services.browse.describe import Describer
        from orthanc_fast.services.webdav.tree import Tree
        from orthanc_fast.services.webdav.uploads import UploadFolder
        from orthanc_fast.services.webdav.webdav import WebDav

        may_upload = self.settings.webdav_upload_allowed and not self.settings.read_only
        return WebDav(
            Tree(self.reads, Describer(self.dictionary)),
            UploadFolder(self.runtime, self.uploads) if may_upload else None,
            self.deletion,
        )

    @cached_property
    def applications(self) -> "Applications":
        """Web applications of other projects."""
        from orthanc_fast.services.viewers.applications import Applications

        return Applications(self.settings)

    def pending_deletions(self) -> int:
        """How many files are still on the disk that belong to nothing any more. May wait."""
        return len(self.index.read(lambda view: view.doomed()))

    @cached_property
    def served_folders(self) -> "Folders":
        """The folders of the site, where there are some."""
        from orthanc_fast.services.viewers.folders import Folders

        assert self.settings.serve_folders is not None
        return Folders(self.settings.serve_folders)

    # The library for HTTP calls is large, and most servers make none.

    async def peer_exchange(self) -> "PeerExchange":
        """Opened with the first call, in a thread: others are served meanwhile."""
        return await asyncio.to_thread(lambda: self._peer_exchange)

    @cached_property
    def outgoing(self) -> "OutgoingCalls":
        from orthanc_fast.services.exchange.outgoing import OutgoingCalls

        return OutgoingCalls(self.settings)

    @cached_property
    def _peer_exchange(self) -> "PeerExchange":
        from orthanc_fast.services.peers.calls import PeerCalls
        from orthanc_fast.services.peers.exchange import PeerExchange

        calls = PeerCalls(self.settings, self.outgoing)
        return PeerExchange(self.reads, self.exports, self.peers, calls)

    def close(self) -> None:
        """As that of what works on resources; waits for pictures and streams."""
        if "dicom_web" in vars(self):  # some request has needed it
            self.dicom_web.close()
        self.volumes.close()
        self.pictures.close()
        super().close()
