"""The small files whose bytes the index carries until they are on the disk."""

from collections.abc import Collection, Mapping

from orthanc_fast.index.contract import CargoKeeper, Snapshot
from orthanc_fast.model import Level
from orthanc_fast.storage.contract import Storage, owner_and_uuid


class JournaledFiles(CargoKeeper):
    """What the index asks of the storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def sync(self) -> None:
        """Raises StorageFault or FullStorage."""
        self._storage.sync()

    def restore(
        self, snapshot: Snapshot, cargo: Mapping[str, bytes], forgotten: Collection[str]
    ) -> None:
        """Writes the files that the index has over whatever a power cut left of them, and unlinks
        again what was unlinked. Raises StorageFault or FullStorage."""
        for name, data in cargo.items():
            found = owner_and_uuid(name)
            if found is not None and belongs(snapshot, *found):
                self._storage.restore(name, data)
        self._storage.delete(sorted(forgotten))


def belongs(view: Snapshot, owner: bytes, uuid: str) -> bool:
    """Whether the resource with the identifier `owner` has the file."""
    resource = view.resource(Level.INSTANCE, owner) or view.resource_of_any_level(owner)
    return resource is not None and any(
        attachment.uuid == uuid for attachment in resource.attachments.values()
    )
