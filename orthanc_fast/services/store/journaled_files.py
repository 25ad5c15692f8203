"""The files whose bytes are in the journal of the index until a checkpoint."""

from orthanc_fast.index.lmdb.environment import Environment
from orthanc_fast.index.lmdb.journal import Repeated
from orthanc_fast.index.lmdb.view import View
from orthanc_fast.model import Level
from orthanc_fast.storage.files.area import StorageArea


class JournaledFiles:
    """What the journal asks of the storage area."""

    def __init__(self, storage: StorageArea) -> None:
        self._storage = storage

    def sync(self) -> None:
        """Raises StorageFault or FullStorage."""
        self._storage.sync()

    def restore(self, env: Environment, repeated: Repeated) -> None:
        """Writes the files that the index has over whatever a power cut left of them, and unlinks
        again what was unlinked. Raises StorageFault or FullStorage."""
        with View(env) as view:
            for name, data in repeated.files.items():
                owner, _, uuid = name.rpartition("/")[2].partition(".")
                if belongs(view, bytes.fromhex(owner), uuid):
                    self._storage.restore(name, data)
        self._storage.remove(sorted(repeated.removed))


def belongs(view: View, owner: bytes, uuid: str) -> bool:
    """Whether the resource with the identifier `owner` has the file."""
    resource = view.resource(Level.INSTANCE, owner) or view.resource_of_any_level(owner)
    return resource is not None and any(
        attachment.uuid == uuid for attachment in resource.attachments.values()
    )
