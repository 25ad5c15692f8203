"""Where the files lie that jobs make: they do not outlive the run of the server."""

import hashlib
from pathlib import Path

from orthanc_fast.config import Settings
from orthanc_fast.errors import StorageFault

FOLDER = "job-outputs"


def outputs_folder(settings: Settings) -> Path:
    """In `TemporaryDirectory`, where several servers may have theirs, else beside the files."""
    if settings.temporary_directory is None:
        return settings.storage_directory / FOLDER
    digest = hashlib.sha1(bytes(settings.index_directory), usedforsecurity=False).hexdigest()
    return settings.temporary_directory / f"orthanc-fast-{FOLDER}-{digest[:16]}"


def empty_outputs(settings: Settings) -> None:
    """Before the workers of a new run start: what the last one left is removed. Raises
    StorageFault."""
    folder = outputs_folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
    except OSError as error:
        raise StorageFault(
            f"cannot use the folder of what jobs make: {error.strerror}", private=folder
        ) from error
