"""Archives as clients ask for them. Source: reference chapter 3, sections 3.7 and 3.9."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import msgspec

from orthanc_fast._ext.ids import from_text
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.archive.media import Media
from orthanc_fast.services.archive.packing import PackingThreads
from orthanc_fast.services.archive.stored import Checksums, StoredArchive
from orthanc_fast.services.archive.stream import Archive, Store, Target, Watch
from orthanc_fast.services.archive.tree import Root, Tree, Walk, tree_of_many, tree_of_one
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.storage.contract import Storage

_MB: Final = 1 << 20


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be archived, and how. `resources` are identifiers as the client has written them:
    one of `level`, or, where that is None, any number of any level."""

    resources: list[str]
    level: Level | None = None
    root: Root = Root.PATIENT
    filename: str = "Archive.zip"
    is_media: bool = False
    is_extended: bool = False  # more keys in the directory of media
    utf8: bool = False  # names of folders; else ASCII
    transcode: str | None = None  # a transfer syntax
    lossy_quality: int = 90


class Planned(msgspec.Struct, frozen=True):
    """A wish that has been looked up for a caller."""

    caller: Caller
    wish: Wish
    tree: Tree

    def content(self, archive_size: int = 0) -> dict[str, Any]:
        """What clients see of the job."""
        wish, tree = self.wish, self.tree
        found: dict[str, Any] = {
            "ArchiveSize": str(archive_size),
            "ArchiveSizeMB": archive_size // _MB,
            "InstancesCount": tree.count,
            "UncompressedSize": str(tree.size),
            "UncompressedSizeMB": tree.size // _MB,
            "Utf8": wish.utf8,
        }
        if wish.transcode is not None:
            found["Transcode"] = wish.transcode
            found["LossyQuality"] = wish.lossy_quality
        return found


class Archives:
    """Makes archives; one per process. Whether that is `in_background` anyhow: see
    `PackingThreads`."""

    def __init__(
        self, reads: Reads, storage: Storage, dictionary: Dictionary, in_background: bool = False
    ) -> None:
        self._store = Store(reads, storage, dictionary, PackingThreads(in_background))
        self._checksums = Checksums()

    def plan(self, caller: Caller, wish: Wish) -> Planned:
        """Looks the resources up. Raises InexistentItem for the one of a level, UnknownResource for
        one of many."""
        publics = [from_text(text) for text in wish.resources]

        def look(view: Snapshot) -> Tree:
            if wish.level is None:
                known = [public for public in publics if public]
                if len(known) < len(publics):
                    raise UnknownResource
                return tree_of_many(view, known)
            (text,), (public,) = wish.resources, publics
            return tree_of_one(view, wish.level, public or b"", text, wish.root)

        return Planned(caller, wish, self._store.reads(caller, look))

    async def stream(self, planned: Planned, watch: Watch) -> AsyncGenerator[bytes]:
        """The bytes of an archive. `watch` is told how many instances are done; what it raises ends
        the archive."""
        wish = planned.wish
        walk = Walk(self._store.reads, planned.caller, planned.tree, wish.utf8, wish.is_media)
        target = None
        if wish.transcode is not None:
            target = Target(wish.transcode, min(max(wish.lossy_quality, 1), 100))
        archive = (
            Media(self._store, planned.caller, walk, target, watch, wish.is_extended)
            if wish.is_media
            else Archive(self._store, planned.caller, walk, target, watch)
        )
        async with aclosing(archive.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk

    def stored(self, planned: Planned) -> StoredArchive:
        """The archive without compression. For a thread."""
        wish = planned.wish

        def entries() -> Walk:
            return Walk(self._store.reads, planned.caller, planned.tree, wish.utf8)

        return StoredArchive(self._store, self._checksums, entries)

    def close(self) -> None:
        """Waits for the files that are being packed."""
        self._store.threads.shutdown(cancel_futures=True)
