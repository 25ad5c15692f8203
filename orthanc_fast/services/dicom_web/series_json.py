"""The metadata of series in the DICOM JSON model, made from the files of their instances.

The place of the server's address in them is held by PLACE, a byte that JSON has nowhere: so they
are the same for every client, and can be kept. Source: reference chapter 5, sections 4.3 and 12.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from urllib.parse import quote

from orthanc_fast.dicom.attributes import OtherBinary
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.metadata_json import PIXEL_HEADER, MetadataWriter
from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.registries import PIXEL_DATA_OFFSET
from orthanc_fast.services.attachments.parts import ContentParts
from orthanc_fast.services.attachments.reading import dicom_attachment, opened, require_all
from orthanc_fast.services.dicom_web.targets import Targets
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.terms import (
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
)
from orthanc_fast.storage.contract import MISSING_FILE, Content, Storage

PLACE: Final = b"\x01"
"""Stands for the address that ends in `/dicom-web/`."""

_is_plain: Final = re.compile(r"[0-9.]*").fullmatch  # no address has it otherwise

# Instances whose JSON is made at a time; the first ones are sent early.
_FIRST, _TOGETHER = 8, 32


class SeriesJson:
    """Makes metadata. All of it waits for the disk: for threads."""

    def __init__(
        self,
        reads: Reads,
        storage: Storage,
        targets: Targets,
        dictionary: Dictionary,
        default_character_set: Callable[[], str],
        mode: OtherBinary,
    ) -> None:
        self._read = reads
        self._storage = storage
        self._targets = targets
        self._parts = ContentParts(storage)
        self._writer = MetadataWriter(dictionary, mode)
        self._default_character_set = default_character_set

    def parts(self, caller: Caller, series: Resource) -> Iterator[list[bytes]]:
        """The objects of the instances of a series, in the order of their numbers, some at a time;
        those that are deleted meanwhile are left out."""
        study = self._read(caller, lambda view: view.parent(series))
        if study is None:
            return
        for instances in self._targets.instances(caller, series, _TOGETHER, _FIRST):
            found = [self._made(caller, study, series, each) for each in instances]
            yield [each for each in found if each is not None]

    def one(self, caller: Caller, instance: Resource) -> bytes | None:
        """The object of one instance; None where it has been deleted."""
        above = self._read(caller, lambda view: view.ancestors(instance))
        if len(above) < Level.INSTANCE:
            return None
        return self._made(caller, above[1], above[0], instance)

    def _made(
        self, caller: Caller, study: Resource, series: Resource, instance: Resource
    ) -> bytes | None:
        try:
            head = head_of(self._storage, self._parts, instance)
        except OrthancError as error:
            later = successor(self._read, caller, instance, error)
            return None if later is None else self._made(caller, study, series, later)
        prefix = PLACE + bulk_path((study, series, instance)).encode()
        return self._writer.json(head, self._default_character_set(), prefix)


def bulk_path(chain: Sequence[Resource]) -> str:
    """What stands before the path of an element in its address; `chain` is study, series and
    instance."""
    study, series, instance = (
        _quoted(resource.tags.get(tag, ""))
        for resource, tag in zip(
            chain, (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID), strict=True
        )
    )
    return f"studies/{study}/series/{series}/instances/{instance}/bulk/"


def _quoted(uid: str) -> str:
    return uid if _is_plain(uid) else quote(uid, safe="")


def head_of(storage: Storage, parts: ContentParts, instance: Resource) -> Content:
    """The DICOM file up to the header of its pixel data; all of it where it is not known where
    that is."""
    attachment = dicom_attachment(instance)
    offset = instance.metadata.get(PIXEL_DATA_OFFSET)
    if offset is None:
        return opened(storage, attachment)
    size = min(int(offset) + PIXEL_HEADER, attachment.size)
    if attachment.compressed:
        return b"".join(parts.excerpt(attachment, 0, size))
    head = storage.read(attachment.uuid, 0, size)
    require_all(head, size)
    return head


def successor(
    reads: Reads, caller: Caller, instance: Resource, error: OrthancError
) -> Resource | None:
    """A file that is missing was deleted with its instance, or is lost: then the error is raised.
    What has overwritten the instance takes its place; None where nothing has."""
    if error.code != MISSING_FILE:
        raise error

    def now(view: Snapshot) -> Resource | None:
        return view.resource(Level.INSTANCE, instance.public)

    found = reads(caller, now)
    if found is not None and found.id == instance.id:
        raise error
    return found
