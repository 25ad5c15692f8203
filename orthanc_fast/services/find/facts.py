"""What a search may ask about one resource: its own values and those of what stands above it."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from orthanc_fast.dicom.dictionary import tag_text
from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Level, Resource, timestamp
from orthanc_fast.registries import (
    DICOM_ATTACHMENT,
    LAST_UPDATE,
    MAIN_DICOM_SEQUENCES,
    MAIN_DICOM_TAGS_SIGNATURE,
)
from orthanc_fast.services.browse.instance_tags import InstanceTags

# Ancestors of neighbours are often the same; what is kept of them is bounded.
_KEPT_ANCESTORS = 2048


class FileElement(msgspec.Struct):
    """One element in the Full format; `Type` is String, Sequence, Null or TooLong."""

    Name: str
    Type: str
    Value: Any = None

    @property
    def text(self) -> str | None:
        """The value of a String, else None."""
        return self.Value if self.Type == "String" else None


_elements = msgspec.json.Decoder(dict[str, FileElement])


class FileReader:
    """Reads tags out of stored files, waiting for the disk: use it in a thread."""

    def __init__(self, instance_tags: InstanceTags) -> None:
        self._tags = instance_tags

    def read(self, instance: Resource, tags: frozenset[int]) -> dict[int, FileElement]:
        """Those of `tags` that the file of an instance has; none where the file is missing or
        cannot be read: a lost one must not hide the other results."""
        if DICOM_ATTACHMENT not in instance.attachments:
            return {}
        try:
            content = self._tags.json(instance, "full", tags)
        except OrthancError:
            return {}
        elements = _elements.decode(content)
        named = ((tag, elements.get(tag_text(tag))) for tag in tags)
        return {tag: element for tag, element in named if element is not None}


class Facts:
    """Values of resources of one view. What is known of files is not among them: nobody reads a
    file while the snapshot is open."""

    def __init__(self, view: Snapshot) -> None:
        self.view = view
        self.after: list[Callable[[], None]] = []  # work for when the snapshot is closed: on files
        self._ancestors: dict[tuple[int, bytes], Resource | None] = {}
        self._signatures: dict[int, str] = {}

    def load_ancestors(self, resources: Sequence[Resource], level: Level) -> None:
        """Reads what stands above the resources, up to `level`, with one call for each level."""
        if len(self._ancestors) > _KEPT_ANCESTORS:
            self._ancestors.clear()
        below = [each for each in resources if each.level > level]
        while below:
            by_parent = {(each.level, each.parent_public): each for each in below}
            unknown = {key: each for key, each in by_parent.items() if key not in self._ancestors}
            if unknown:
                parents = self.view.parents_of(list(unknown.values()))
                self._ancestors.update(zip(unknown, parents, strict=True))
            above = (self._ancestors[key] for key in by_parent)
            below = [each for each in above if each is not None and each.level > level]

    def at_level(self, resource: Resource, level: Level) -> Resource | None:
        """The resource itself, or its ancestor at that level."""
        found: Resource | None = resource
        while found is not None and found.level > level:
            found = self._parent(found)
        return found

    def _parent(self, resource: Resource) -> Resource | None:
        key = (resource.level, resource.parent_public)
        if key not in self._ancestors:
            self.load_ancestors([resource], Level(resource.level - 1))
        return self._ancestors[key]

    def main_tag(self, resource: Resource, level: Level, tag: int) -> str | None:
        """The main tag of the resource or of its ancestor at `level`."""
        holder = self.at_level(resource, level)
        if holder is None:
            return None
        value = holder.tags.get(tag)
        return holder.patient_tags.get(tag) if value is None else value

    def signature(self, number: int) -> str:
        """The text of a main tags signature; the store has few of them."""
        if number not in self._signatures:
            self._signatures[number] = self.view.signature(number)
        return self._signatures[number]

    def metadata(self, resource: Resource, number: int) -> str | None:
        """The value of a metadata as text."""
        if number == LAST_UPDATE and resource.level != Level.INSTANCE:
            return timestamp(resource.last_update)
        if number == MAIN_DICOM_TAGS_SIGNATURE:
            return self.signature(resource.signature) if resource.signature else None
        value = resource.metadata.get(number)
        if value is None and number in resource.user_metadata:
            return resource.user_metadata[number].decode("utf-8", "replace")
        return value


def main_sequence(holder: Resource, tag: int) -> dict[str, Any] | None:
    """A sequence that is a main tag, in the Full format."""
    sequences = holder.metadata.get(MAIN_DICOM_SEQUENCES)
    if sequences is None:
        return None
    found: dict[str, Any] | None = msgspec.json.decode(sequences)["Sequences"].get(tag_text(tag))
    return found
