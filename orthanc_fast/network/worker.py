"""One DICOM worker process: opens the store and serves the shared port until it is told to stop."""

import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.config_plugins import Tenant
from orthanc_fast.model import SERVER
from orthanc_fast.network.admission import Admission
from orthanc_fast.network.door import Door, Moved, Operations, not_ours
from orthanc_fast.network.listener import Listener
from orthanc_fast.network.meters import AssociationMeters, RecordingMeters
from orthanc_fast.network.negotiation import Negotiator
from orthanc_fast.network.offered import handlers_of, operations_of, operations_of_tenant
from orthanc_fast.network.options import DicomOptions, dicom_options
from orthanc_fast.network.places import Places
from orthanc_fast.services.exchange.dicom_tls import server_context
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.ingest.contract import UploadMemory
from orthanc_fast.services.ingest.receiving import InstanceSink, Labelling
from orthanc_fast.services.processes.dicom import DicomServices
from orthanc_fast.services.scp.policy import ScpPolicy
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.upper_layer.handover import Handlers

DESCRIPTORS = 65536
PLACES = "associations"  # the file, in the folder of the index
NO_HANDLERS: Handlers = {}
NO_OPERATIONS: Operations = {}
GRACE = 5.0  # seconds that associations get to end when the server stops


def make_door(
    options: DicomOptions,
    store: InstanceSink,
    handlers: Handlers = NO_HANDLERS,
    known: Callable[[], Mapping[str, Modality]] | None = None,
    policy: ScpPolicy | None = None,
    meters: AssociationMeters | None = None,
    memory: UploadMemory | None = None,
    operations: Operations = NO_OPERATIONS,
    moved: Moved = not_ours,
) -> Door:
    """Joins what the associations of one worker share; `known` replaces the option's modalities,
    `policy` that everything is accepted. What `handlers` and `operations` answer is negotiated,
    beside C-ECHO and C-STORE."""
    admission = Admission(options, known or (lambda: options.modalities))
    handled = {*handlers, *operations}
    return Door(
        options=options,
        admission=admission,
        negotiator=Negotiator(policy or ScpPolicy({}), admission, handled),
        store=store,
        handlers=handlers,
        operations=operations,
        memory=memory or UploadMemory(options.memory_of_all),
        meters=meters or AssociationMeters(),
        moved=moved,
    )


def run(
    settings: Settings, slot: str, listening: list[socket.socket], ready: Callable[[], None]
) -> None:
    """Serves until SIGTERM; then lets associations end and completes what is queued.

    `ready` is called when peers can be served.
    """
    _raise_descriptor_limit()
    options = dicom_options(settings)
    tls = None if options.tls is None else server_context(options.tls)
    services = DicomServices(settings, slot)
    shared = settings.index_directory / INDEX_FOLDER / PLACES
    places = Places(options.maximum_associations, os.open(shared, os.O_RDWR | os.O_CREAT, 0o600))
    try:
        meters = RecordingMeters(services.metrics)
        known = partial(services.modalities.all, SERVER)
        policy = services.scp_policy
        door = make_door(
            options,
            services.ingest,
            handlers_of(services),
            known,
            policy,
            meters,
            services.upload_memory,
            operations_of(services),
            services.moves.received,
        )
        if services.audit is not None:
            from orthanc_fast.network.audited import refusals

            door = msgspec.structs.replace(door, refused=refusals(services.audit))
        doors = {tenant.port: _tenants_door(door, services, tenant) for tenant in settings.tenants}
        by_socket = {each: doors.get(each.getsockname()[1], door) for each in listening}
        listener = Listener(by_socket, places, tls)
        signal.signal(signal.SIGTERM, lambda *_: listener.stop())
        ready()
        threading.Thread(target=services.prepare, name="prepare", daemon=True).start()
        listener.serve()
        listener.join(GRACE)
    finally:
        places.close()
        services.close()


def _tenants_door(main: Door, services: DicomServices, tenant: Tenant) -> Door:
    """The door of a server of some labels: but for its title, the options of `main` hold here
    too."""
    options = msgspec.structs.replace(main.options, aet=tenant.aet)
    operations = operations_of_tenant(services, tenant)
    return msgspec.structs.replace(
        main,
        options=options,
        negotiator=Negotiator(services.scp_policy, main.admission.of(options), operations),
        admission=main.admission.of(options),
        store=Labelling(main.store, tenant),
        handlers=NO_HANDLERS,
        operations=operations,
    )


def _raise_descriptor_limit() -> None:
    """A connection is a descriptor, and the usual soft limit of 1024 is for programs of another
    kind."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
