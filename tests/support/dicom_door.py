"""A DICOM door in this process, on a free port, with a store that the tests can look into."""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.index.contract import Promise
from orthanc_fast.model import Caller
from orthanc_fast.network.door import Moved, Operations, not_ours
from orthanc_fast.network.listener import Listener
from orthanc_fast.network.options import dicom_options
from orthanc_fast.network.places import Places
from orthanc_fast.network.worker import NO_HANDLERS, NO_OPERATIONS, make_door
from orthanc_fast.services.ingest.contract import IngestRequest, Stored, UploadMemory
from orthanc_fast.services.scp.policy import ScpPolicy
from orthanc_fast.storage.contract import Spool
from orthanc_fast.storage.files.spool import FileSpool
from orthanc_fast.upper_layer.handover import Handlers


class Shelf:
    """A store that keeps what it gets in memory, and can be slow or refuse."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[bytes] = []
        self.callers: list[Caller] = []
        self.spools = 0
        self.error: Exception | None = None
        self.delay: Callable[[int], float] | None = None

    def new_spool(self) -> Spool:
        self.spools += 1
        return FileSpool(self.folder / f"{self.spools}.part")

    def submit(self, request: IngestRequest, promise: Promise) -> None:
        data = request.data
        if isinstance(data, Spool):
            with data:
                content = data.read()
        else:
            content = bytes(data)
        if self.error is not None:
            raise self.error
        self.files.append(content)
        self.callers.append(request.caller)
        stored = Stored("Success", (*3 * (bytes(20),), len(self.files).to_bytes(20)))
        if self.delay is None:
            promise.set_result(stored)
        else:
            seconds = self.delay(len(self.files))
            threading.Timer(seconds, promise.set_result, (stored,)).start()


class Running:
    """A served door: where it listens and what it stored."""

    def __init__(self, port: int, shelf: Any, listener: Listener, memory: UploadMemory) -> None:
        self.port = port
        self.shelf = shelf
        self.listener = listener
        self.memory = memory

    def settle(self, seconds: float = 5.0) -> None:
        """Waits until no association is left."""
        deadline = time.monotonic() + seconds
        while self.listener.active and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not self.listener.active


@contextlib.contextmanager
def serving(
    store: Any,
    tls: ssl.SSLContext | None = None,
    handlers: Handlers = NO_HANDLERS,
    operations: Operations = NO_OPERATIONS,
    moved: Moved = not_ours,
    **raw: Any,
) -> Iterator[Running]:
    """Serves with these options of the configuration file."""
    uploads_memory = raw.pop("MaximumUploadsMemoryMB", 256)
    settings = Settings(
        dicom_aet=raw.pop("DicomAet", "ORTHANC"), raw=raw, maximum_uploads_memory_mb=uploads_memory
    )
    if "MaximumUploadMemoryMB" in raw:
        settings = Settings(
            dicom_aet=settings.dicom_aet,
            raw=raw,
            maximum_upload_memory_mb=raw["MaximumUploadMemoryMB"],
            maximum_uploads_memory_mb=uploads_memory,
        )
    options = dicom_options(settings)
    memory = UploadMemory(options.memory_of_all)
    door = make_door(
        options,
        store,
        handlers,
        None,
        ScpPolicy(raw),
        memory=memory,
        operations=operations,
        moved=moved,
    )
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = listening.getsockname()[1]
    places = Places(options.maximum_associations, os.memfd_create("associations"))
    listener = Listener({listening: door}, places, tls)
    thread = threading.Thread(target=listener.serve)
    thread.start()
    try:
        yield Running(port, store, listener, memory)
    finally:
        listener.stop()
        thread.join()
        listener.join(0.0)
        places.close()
