"""The process that reads stored files for damage."""

import os
import signal
import traceback
from collections.abc import Callable
from threading import Event
from typing import Final

from orthanc_fast.config import Settings
from orthanc_fast.log import Category, logger
from orthanc_fast.services.administration.meters import LogCounter, RecordingStorageMeters
from orthanc_fast.services.administration.metrics import Metrics
from orthanc_fast.services.administration.scrubber import Scrubber
from orthanc_fast.services.store.opening import INDEX_FOLDER, open_index, open_storage

NICENESS: Final = 19  # everything else goes first
_PAUSE: Final = 5.0  # seconds after a fault


def run(settings: Settings, slot: str, ready: Callable[[], None]) -> None:
    """Reads until SIGTERM. `ready` is called when it is at work."""
    os.nice(NICENESS)
    assert settings.scrubber is not None
    folder = settings.index_directory / INDEX_FOLDER
    stopping = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())
    storage = open_storage(settings, slot)
    index = open_index(settings, storage)
    metrics = Metrics(folder, slot)
    storage.meters = RecordingStorageMeters(metrics)
    counter = LogCounter(metrics)
    counter.start()
    try:
        ready()
        while not stopping.is_set():
            try:
                Scrubber(settings.scrubber, index, storage, folder, stopping).run()
            except Exception as error:  # a fault of ours must not end it for good
                text = "".join(traceback.format_exception(error)).rstrip()
                logger.error(Category.GENERIC, f"The scrubber begins anew: {text}")
                stopping.wait(_PAUSE)
    finally:
        counter.stop()
        index.close()
