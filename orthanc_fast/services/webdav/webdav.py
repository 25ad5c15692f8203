"""What a worker opens for WebDAV, with the first request for it."""

from dataclasses import dataclass
from typing import Final

from orthanc_fast.index.packed import packed_parts, unpack
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.webdav.tree import Tree
from orthanc_fast.services.webdav.uploads import UploadFolder

UPLOADS: Final = "uploads"
_DELETED_AT_ONCE = 20  # studies or patients in one transaction


@dataclass(frozen=True, slots=True)
class WebDav:
    """The folders of one server; `uploads` is None where nothing may be put."""

    tree: Tree
    uploads: UploadFolder | None
    deletion: Deletion

    async def delete(self, caller: Caller, below: tuple[Level, bytes]) -> None:
        """Deletes resources of a level, packed: some in one transaction, so that others can write
        meanwhile."""
        level, packed = below
        for part in packed_parts(packed, _DELETED_AT_ONCE):
            await self.deletion.delete_listed(caller, [(level, each) for each in unpack(part)])
