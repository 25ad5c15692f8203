"""Attachments of resources: adding, removing, compressing, and the MD5s that are computed when
first asked for and kept. Source: reference chapter 1, sections 1.12 and 6.2."""

import asyncio
import time
from typing import NamedTuple
from uuid import uuid4

import msgspec
import xxhash

from orthanc_fast.config import Settings
from orthanc_fast.errors import InexistentItem, UnknownResource
from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.model import Attachment, Caller, Level, Outcome, Resource, SendablePath
from orthanc_fast.registries import UPDATED_ATTACHMENT, is_user_number
from orthanc_fast.services.attachments.parts import STEP, ContentParts, compressed_spool, summary_of
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.attachments.types import AttachmentTypes
from orthanc_fast.services.retention.recycling import Quota, quota_of
from orthanc_fast.services.store.content_check import check_content
from orthanc_fast.services.store.file_effects import FilesWrite
from orthanc_fast.services.store.lookup import found_or_raise
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.revisions import Version, check, digest
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.storage.arriving import Body
from orthanc_fast.storage.compression import compress
from orthanc_fast.storage.contract import Pending, Spool

# Contents up to this size are taken into memory as a whole.
SMALL = 1 << 20


class Located(NamedTuple):
    """One attachment of a resource."""

    owner: Resource
    kind: int
    attachment: Attachment


class Attachments:
    """The attachments of resources."""

    def __init__(
        self, settings: Settings, reads: Reads, writes: Writes, contents: Contents
    ) -> None:
        self.types = AttachmentTypes(settings.user_content_types)
        self.parts = ContentParts(contents.storage)
        self._contents = contents
        self._settings = settings
        self._read = reads
        self._write = writes
        self._storage = contents.storage
        self._quota = quota_of(settings)

    # Reading

    def kinds(self, caller: Caller, level: Level, public: bytes) -> list[int]:
        """The numbers of the attachments of a resource. Raises UnknownResource."""

        def read(view: Snapshot) -> list[int]:
            return sorted(found_or_raise(view.resource(level, public)).attachments)

        return self._read(caller, read)

    def find(self, caller: Caller, public: bytes, kind: int) -> Located | None:
        """An attachment of a resource of any level, or None. Raises UnknownResource where there is
        no such resource."""
        owner = self._read(caller, lambda view: view.resource_of_any_level(public))
        attachment = found_or_raise(owner).attachments.get(kind)
        return None if owner is None or attachment is None else Located(owner, kind, attachment)

    def require(self, caller: Caller, public: bytes, kind: int) -> Located:
        """As `find`; raises UnknownResource where there is no such attachment."""
        found = self.find(caller, public, kind)
        if found is None:
            raise UnknownResource
        return found

    async def version(self, caller: Caller, found: Located) -> Version:
        """The version for ETags; without an MD5 where it is not kept."""
        attachment = found.attachment
        if self._settings.store_md5:
            attachment = await self._with_checksums(caller, found)
        return version_of(attachment)

    async def _with_checksums(self, caller: Caller, located: Located) -> Attachment:
        """The attachment with its MD5s. Raises what reading the file raises."""
        owner, kind, attachment = located
        if attachment.md5 is not None and attachment.stored_md5 is not None:
            return attachment
        found = await asyncio.to_thread(self.parts.checksums, attachment)
        attachment.md5, attachment.stored_md5 = found
        if not self._settings.read_only:
            await self._write(caller, _KeepChecksums(owner, kind, attachment))
        return attachment

    async def small_content(self, attachment: Attachment) -> bytes:
        """The content as a whole, verified; of an attachment that is not large."""
        content = await self._contents.content(attachment)
        check_content(attachment, content)
        return content

    def sendable(self, attachment: Attachment) -> SendablePath | None:
        """See `Contents.sendable`."""
        return self._contents.sendable(attachment)

    async def verify(self, attachment: Attachment) -> None:
        """Raises CorruptedFile, or what reading the file raises."""
        await asyncio.to_thread(self.parts.verify, attachment)

    # Changing

    async def put(
        self,
        caller: Caller,
        public: bytes,
        kind: int,
        body: Body,
        expected: Version | None,
    ) -> Version:
        """Adds or replaces an attachment of a resource of any level. A spool belongs to this
        method.

        Raises InexistentItem for an unknown resource, Revision, FullStorage.
        """
        attachment, pending = await asyncio.to_thread(self._prepare, public, body)
        md5 = attachment.md5
        if not self._settings.store_md5:
            attachment.md5 = None
        write = _PutAttachment(public, kind, attachment, pending, self._settings, self._quota)
        write.expected = expected
        revision: int = await self._write(caller, write)
        return Version(revision, md5 or "")

    def _prepare(self, public: bytes, body: Body) -> tuple[Attachment, Pending]:
        if isinstance(body, Spool):
            with body:
                return self._prepare_spool(public, body)
        stored = compress(body) if self._settings.storage_compression else body
        digests = xxhash.xxh3_128_digest(body), digest(body)
        attachment = self._new(len(body), len(stored), *digests)
        return attachment, self._storage.new_file(public, attachment.uuid, stored)

    def _prepare_spool(self, public: bytes, body: Spool) -> tuple[Attachment, Pending]:
        size, fast, md5 = summary_of(body)
        stored = body
        if self._settings.storage_compression:
            stored = compressed_spool(self._storage, body.parts(STEP), size)
        attachment = self._new(size, stored.size, fast, md5)
        return attachment, self._storage.new_file(public, attachment.uuid, stored)

    def _new(self, size: int, stored_size: int, fast: bytes, md5: str) -> Attachment:
        compressed = self._settings.storage_compression
        return Attachment(str(uuid4()), size, stored_size, compressed, fast, md5)

    async def delete(
        self, caller: Caller, public: bytes, kind: int, expected: Version | None
    ) -> None:
        """Removes an attachment of a resource of any level. Raises UnknownResource, also where it
        is not there, or Revision."""
        write = _DeleteAttachment(public, kind, expected, self._settings.check_revisions)
        await self._write(caller, write)

    async def set_compressed(self, caller: Caller, found: Located, compressed: bool) -> None:
        """Stores the content anew, compressed or not, unless it is so already."""
        owner, kind, _ = found
        while owner.attachments[kind].compressed != compressed:
            if await self._write(caller, await self._rewriting(owner, kind, compressed)):
                return
            # It was replaced meanwhile.
            owner = await self._read.run(self._again, caller, owner, kind)

    async def _rewriting(self, owner: Resource, kind: int, compressed: bool) -> FilesWrite:
        """The write that gives an attachment a new file of the same content; it results in False,
        with nothing done, if the attachment is another one by then."""
        old = owner.attachments[kind]
        spool = await asyncio.to_thread(self.parts.rewritten, old, compressed)
        new = msgspec.structs.replace(
            old, uuid=str(uuid4()), stored_size=spool.size, compressed=compressed, stored_md5=None
        )
        pending = self._storage.new_file(owner.public, new.uuid, spool)
        return _Rewrite(owner, kind, new, pending, self._quota)

    def _again(self, caller: Caller, owner: Resource, kind: int) -> Resource:
        found = self._read(caller, lambda view: view.resource(owner.level, owner.public))
        if found is None or kind not in found.attachments:
            raise UnknownResource
        return found


def version_of(attachment: Attachment) -> Version:
    return Version(attachment.revision, attachment.md5 or "")


class _PutAttachment(FilesWrite):
    """Results in the revision."""

    def __init__(
        self,
        public: bytes,
        kind: int,
        attachment: Attachment,
        file: Pending,
        settings: Settings,
        quota: Quota,
    ) -> None:
        super().__init__([file])
        self._public = public
        self._kind = kind
        self._attachment = attachment
        self._demanded = settings.check_revisions
        self._quota = quota
        self.expected: Version | None = None

    @property
    def is_quick(self) -> bool:
        """Not where it may have to delete patients to make room."""
        return not self._quota.is_limited and super().is_quick

    def apply(self, transaction: Transaction) -> Outcome:
        owner = transaction.resource_of_any_level(self._public)
        if owner is None:
            raise InexistentItem("there is no such resource")
        old = owner.attachments.get(self._kind)
        if old is not None:
            check(self.expected, version_of(old), self._demanded)
        doomed = self._quota.room_for_attachment(transaction, owner, self._attachment, old)
        outcome = transaction.put_attachment(owner, self._kind, self._attachment)
        outcome.doomed += doomed
        log_update(transaction, owner, self._kind)
        return outcome

    def finish(self, outcome: Outcome) -> int:
        return self._attachment.revision


class _DeleteAttachment(Write[Outcome]):
    def __init__(self, public: bytes, kind: int, expected: Version | None, demanded: bool) -> None:
        self._public = public
        self._kind = kind
        self._expected = expected
        self._demanded = demanded

    def apply(self, transaction: Transaction) -> Outcome:
        owner = transaction.resource_of_any_level(self._public)
        attachment = None if owner is None else owner.attachments.get(self._kind)
        if owner is None or attachment is None:
            raise UnknownResource
        check(self._expected, version_of(attachment), self._demanded)
        outcome = transaction.remove_attachment(owner, self._kind)
        log_update(transaction, owner, self._kind)
        return outcome


class _Rewrite(FilesWrite):
    """Results in whether it was done."""

    def __init__(
        self,
        owner: Resource,
        kind: int,
        new: Attachment,
        file: Pending,
        quota: Quota,
    ) -> None:
        super().__init__([file])
        self._level = owner.level
        self._public = owner.public
        self._kind = kind
        self._old = owner.attachments[kind].uuid
        self._new = new
        self._quota = quota

    def apply(self, transaction: Transaction) -> Outcome:
        owner = transaction.resource(self._level, self._public)
        old = None if owner is None else owner.attachments.get(self._kind)
        if owner is None or old is None or old.uuid != self._old:
            return Outcome()
        doomed = self._quota.room_for_attachment(transaction, owner, self._new, old)
        outcome = transaction.put_attachment(owner, self._kind, self._new)
        outcome.doomed += doomed
        log_update(transaction, owner, self._kind)
        return outcome

    def finish(self, outcome: Outcome) -> bool:
        return outcome.stored


class _KeepChecksums(Write[None]):
    def __init__(self, owner: Resource, kind: int, attachment: Attachment) -> None:
        self._level: Level = owner.level
        self._public = owner.public
        self._kind = kind
        self._known = attachment

    def apply(self, transaction: Transaction) -> None:
        owner = transaction.resource(self._level, self._public)
        found = None if owner is None else owner.attachments.get(self._kind)
        if owner is not None and found is not None and found.uuid == self._known.uuid:
            known = self._known
            transaction.set_md5(owner, self._kind, known.md5, known.stored_md5)


def log_update(transaction: Transaction, owner: Resource, kind: int) -> None:
    """Of attachments of the server's own nothing is told."""
    if is_user_number(kind):
        transaction.log_change(UPDATED_ATTACHMENT, owner, int(time.time()))
