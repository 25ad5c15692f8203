"""Stored instances on their way to another server: which they are, and what sending must know of
them. Source: reference chapter 4, sections 5.5 and 8.3.

Nothing but identifiers is kept of a job: records are read some at a time while it goes on, so that
twenty thousand instances need no more memory than twenty.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from orthanc_fast.dicom.identifiers import from_text, to_text
from orthanc_fast.errors import BadFileFormat, InternalError, UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1, Attachment, Caller, Level, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT, SOP_CLASS_UID, TRANSFER_SYNTAX
from orthanc_fast.services.browse.describe import NAMES
from orthanc_fast.services.store.lookup import records_of_any_level
from orthanc_fast.services.store.reads import Reads

_SOP_INSTANCE: Final = 0x00080018
_RECORDS_AT_ONCE: Final = 64
_TEXTS_AT_ONCE: Final = 1000


class Presentation(NamedTuple):
    """What a presentation context is needed for: a SOP class in a transfer syntax."""

    sop_class: str
    transfer_syntax: str


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One instance to be sent, the one with this number of its job. `file` is None where it has
    been deleted meanwhile, or where this server keeps no file of it; a UID that the index does not
    know is ""."""

    number: int
    public: bytes
    sop_class: str = ""
    sop_instance: str = ""
    transfer_syntax: str = ""
    file: Attachment | None = None

    @property
    def presentation(self) -> Presentation:
        return Presentation(self.sop_class, self.transfer_syntax)


class Instances:
    """The instances of one job in the order in which they are sent; `packed` are their
    identifiers. May be used from any thread."""

    def __init__(self, reads: Reads, caller: Caller, packed: bytes) -> None:
        self._read = reads
        self._caller = caller
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed) // SHA1

    def presentations(self) -> list[Presentation]:
        """What is to be negotiated for all of them, each once, in the order of the instances."""
        found: dict[Presentation, None] = {}
        for publics in self._portions(0, _TEXTS_AT_ONCE):

            def texts(
                view: Snapshot, publics: Sequence[bytes] = publics
            ) -> tuple[list[str | None], list[str | None]]:
                return (
                    view.texts_of(Level.INSTANCE, publics, SOP_CLASS_UID),
                    view.texts_of(Level.INSTANCE, publics, TRANSFER_SYNTAX),
                )

            for sop_class, syntax in zip(*self._read(self._caller, texts), strict=True):
                if sop_class and syntax:
                    found[Presentation(sop_class, syntax)] = None
        return list(found)

    def since(self, first: int) -> Iterator[Outgoing]:
        """All from the number `first` on, also those that are gone."""
        for publics in self._portions(first, _RECORDS_AT_ONCE):

            def records(
                view: Snapshot, publics: Sequence[bytes] = publics
            ) -> list[Resource | None]:
                return view.resources(Level.INSTANCE, publics)

            for public, record in zip(publics, self._read(self._caller, records), strict=True):
                yield Outgoing(first, public) if record is None else outgoing(first, record)
                first += 1

    def __iter__(self) -> Iterator[Outgoing]:
        return self.since(0)

    def _portions(self, first: int, count: int) -> Iterator[list[bytes]]:
        for start in range(first * SHA1, len(self._packed), count * SHA1):
            yield list(unpack(self._packed[start : start + count * SHA1]))


def outgoing(number: int, instance: Resource) -> Outgoing:
    """What sending must know of this record."""
    return Outgoing(
        number,
        instance.public,
        instance.metadata.get(SOP_CLASS_UID, ""),
        instance.tags.get(_SOP_INSTANCE, ""),
        instance.metadata.get(TRANSFER_SYNTAX, ""),
        instance.attachments.get(DICOM_ATTACHMENT),
    )


class Chosen(msgspec.Struct, frozen=True):
    """What a request names, in its order, and all instances of it, packed."""

    resources: Sequence[Resource]
    instances: bytes

    @property
    def count(self) -> int:
        return len(self.instances) // SHA1

    def content(self) -> dict[str, Any]:
        """What clients see of it in a job: by identifier, as with Orthanc."""
        named = sorted({(to_text(each.public), NAMES[each.level]) for each in self.resources})
        if not named:
            return {}
        return {
            "ParentResources": [public for public, _ in named],
            "Resources": [{"ID": public, "Type": level} for public, level in named],
        }


def chosen(reads: Reads, caller: Caller, names: Sequence[str]) -> Chosen:
    """The resources of any level that a request names by their identifiers. Raises BadFileFormat
    for a text that is none; for one that no resource has InternalError if it is the first,
    UnknownResource if it is not, as Orthanc."""
    publics = [_identifier(name) for name in names]

    def read(view: Snapshot) -> Chosen:
        found = records_of_any_level(view, publics)
        if len(found) < len(publics):
            is_first = not found or found[0].public != publics[0]
            raise (
                InternalError("A resource that is to be sent does not exist")
                if is_first
                else UnknownResource
            )
        return Chosen(found, instances_below(view, found))

    return reads(caller, read)


def _identifier(name: str) -> bytes:
    public = from_text(name)
    if public is None:
        raise BadFileFormat(f"This string is not a valid Orthanc identifier: {name}")
    return public


def instances_below(view: Snapshot, resources: Iterable[Resource]) -> bytes:
    """All instances at and below the resources, packed: resource by resource, in the order in which
    they have been stored, as their files lie on the disk. One that is below two of them is there
    twice, as with Orthanc."""
    below = (view.descendants_packed(each, Level.INSTANCE) for each in resources)
    return b"".join(view.by_creation(Level.INSTANCE, packed) for packed in below)
