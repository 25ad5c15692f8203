"""One job worker process: what it opens, and which kinds of jobs there are."""

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from orthanc_fast.config import Settings
from orthanc_fast.services.archive.jobs import ArchiveJob, MediaJob
from orthanc_fast.services.jobs.contract import Kind
from orthanc_fast.services.jobs.engine import Engine
from orthanc_fast.services.jobs.registry import Registry
from orthanc_fast.services.processes.resources import ResourceServices

if TYPE_CHECKING:
    from orthanc_fast.services.dicom_web_client.calls import WebCalls

NICENESS = 10  # what answers clients goes first


class JobServices(ResourceServices):
    """The store as jobs see it: whatever waits for a write is a thread."""

    def __init__(self, settings: Settings, slot: str) -> None:
        super().__init__(settings, slot)


Opening = Callable[[JobServices], Kind]


def _modification(services: JobServices, name: str) -> Kind:
    from orthanc_fast.services.modification.job import ModificationJob
    from orthanc_fast.services.modification.regrouping_jobs import MergeJob, SplitJob

    kinds = {kind.name: kind for kind in (ModificationJob, SplitJob, MergeJob)}
    return kinds[name](
        services.settings,
        services.reads,
        services.writes,
        services.storage,
        services.ingest,
        services.main_tags,
        services.dictionary,
        services.modification,
    )


def _store(services: JobServices) -> Kind:
    from orthanc_fast.services.scu.store_job import StoreJob

    return StoreJob(
        services.settings,
        services.reads,
        services.associations,
        services.senders,
        services.commitments.request,
    )


def _move(services: JobServices) -> Kind:
    from orthanc_fast.services.scu.move_job import MoveJob

    return MoveJob(services.associations, _identifiers(services), services.moves)


def _get(services: JobServices) -> Kind:
    from orthanc_fast.services.scu.get_job import GetJob, Receiving

    largest = max(1, services.settings.maximum_upload_memory_mb) << 20
    receiving = Receiving(services.ingest, services.upload_memory, largest, services.scp_policy)
    return GetJob(services.associations, _identifiers(services), receiving)


def _identifiers(services: JobServices) -> Callable[[dict[int, str], str], bytes]:
    from orthanc_fast.services.scu.identifiers import Identifier

    def encoded(tags: dict[int, str], syntax: str) -> bytes:
        default = services.default_character_set()
        return Identifier(tags, services.dictionary, default).encoded(syntax)

    return encoded


def _peer_store(services: JobServices) -> Kind:
    from orthanc_fast.services.exchange.outgoing import OutgoingCalls
    from orthanc_fast.services.peers.calls import PeerCalls
    from orthanc_fast.services.peers.files import SentFiles
    from orthanc_fast.services.peers.store_job import PeerStoreJob

    settings = services.settings
    return PeerStoreJob(
        settings,
        services.reads,
        SentFiles(settings, services.storage, services.dictionary),
        PeerCalls(settings, OutgoingCalls(settings)),
    )


def _stow(services: JobServices) -> Kind:
    from orthanc_fast.services.dicom_web_client.stow_job import StowJob

    return StowJob(
        services.settings, services.reads, services.attachments.parts, _web_calls(services)
    )


def _retrieve(services: JobServices) -> Kind:
    from orthanc_fast.services.dicom_web_client.receiving import Receiver
    from orthanc_fast.services.dicom_web_client.retrieve_job import RetrieveJob

    largest = max(1, services.settings.maximum_upload_memory_mb) << 20
    bound = services.settings.maximum_request_body_size_mb << 20
    receiver = Receiver(services.ingest, services.upload_memory, largest, bound)
    return RetrieveJob(services.settings, receiver, _web_calls(services))


def _web_calls(services: JobServices) -> "WebCalls":
    from orthanc_fast.services.dicom_web_client.calls import WebCalls
    from orthanc_fast.services.exchange.outgoing import OutgoingCalls

    return WebCalls(services.settings, OutgoingCalls(services.settings))


def _commitment(services: JobServices) -> Kind:
    from orthanc_fast.services.storage_commitment.scp_job import CommitmentJob

    if services.script_calls is None:
        return CommitmentJob(services.reads, services.associations)
    from orthanc_fast.services.scripts.commitments import ScriptedCommitments

    decide = ScriptedCommitments(services.script_calls).reasons
    return CommitmentJob(services.reads, services.associations, decide)


# By the type that clients see. Each imports what it needs when the first job of it comes.
KINDS: dict[str, Opening] = {
    "Archive": lambda services: ArchiveJob(services.archives),
    "Media": lambda services: MediaJob(services.archives),
    **{
        name: partial(_modification, name=name)
        for name in ("ResourceModification", "SplitStudy", "MergeStudy")
    },
    "DicomModalityStore": _store,
    "DicomMoveScu": _move,
    "DicomGetScu": _get,
    "OrthancPeerStore": _peer_store,
    "StorageCommitmentScp": _commitment,
    "DicomWebStowClient": _stow,
    "DicomWebWadoRetrieveClient": _retrieve,
}


def run(
    settings: Settings,
    slot: str,
    ready: Callable[[], None],
    kinds: dict[str, Opening] | None = None,
) -> None:
    """Runs jobs, one at a time, until SIGTERM; then the job that runs is put back with
    its next step. `ready` is called when jobs are taken."""
    os.nice(NICENESS)
    services = JobServices(settings, slot)
    try:
        table = KINDS if kinds is None else kinds
        engine = Engine(
            Registry(services.runtime, settings),
            services.writes,
            {name: partial(opening, services) for name, opening in table.items()},
            slot,
        )
        working = threading.Thread(target=engine.serve, name="jobs")
        signal.signal(signal.SIGTERM, lambda *_: engine.stop())
        working.start()
        ready()
        working.join()
    finally:
        services.close()
