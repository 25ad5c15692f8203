"""The tags of stored instances as JSON, one by one and of many together. All of it waits for the
disk: use it in a thread. Source: reference chapter 2, sections 1.2, 1.10 and 1.11."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary, tag_text
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.dicom.tag_json import Format, reduced, tags_json
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.store.lookup import first_instance, found_or_raise
from orthanc_fast.services.store.reads import Reads

PART = 256 << 10  # bytes of JSON that are gathered before they are handed over

_NOTHING: frozenset[int] = frozenset()


class _Element(msgspec.Struct, omit_defaults=True, gc=False):
    """One element in the Full format, its value untouched."""

    Name: str
    Type: str
    Value: msgspec.Raw
    PrivateCreator: str | None = None


_decode_elements = msgspec.json.Decoder(dict[str, _Element]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class InstanceTags:
    """Reads tags out of the files of one process; `encoding` gives the default character set."""

    def __init__(
        self, reads: Reads, contents: Contents, dictionary: Dictionary, encoding: Callable[[], str]
    ) -> None:
        self._read = reads
        self._contents = contents
        self._dictionary = dictionary
        self._encoding = encoding

    def json(self, instance: Resource, form: Format, unlimited: frozenset[int] = _NOTHING) -> bytes:
        """The data set of an instance without what follows its pixel data.

        Raises what reading the file raises, or BadFileFormat.
        """
        return self._json(instance, form, unlimited, self._encoding())

    def _json(
        self, instance: Resource, form: Format, unlimited: frozenset[int], encoding: str
    ) -> bytes:
        data, is_head = self._contents.head_now(instance)
        return tags_json(
            data,
            form,
            self._dictionary,
            encoding,
            ignore_length=unlimited,
            until_pixel_data=is_head,
        )

    def of_all(
        self,
        caller: Caller,
        instances: Iterable[bytes],
        form: Format,
        unlimited: frozenset[int] = _NOTHING,
    ) -> Iterator[bytes]:
        """One JSON object with the tags of each instance under its identifier, in parts; what has
        been deleted meanwhile is left out."""
        encoding = self._encoding()
        pieces, size, separator = [b"{"], 0, b'"'
        for instance in self._present(caller, instances):
            tags = self._json(instance, form, unlimited, encoding)
            pieces += (separator, to_text(instance.public).encode(), b'":', tags)
            size += len(tags)
            separator = b',"'
            if size >= PART:
                yield b"".join(pieces)
                pieces, size = [], 0
        yield b"".join((*pieces, b"}"))

    def shared(self, caller: Caller, instances: Iterable[bytes], form: Format) -> bytes:
        """The texts that are the same in all instances, as one JSON object."""
        encoding = self._encoding()
        found: dict[str, _Element] | None = None
        for instance in self._present(caller, instances):
            elements = _decode_elements(self._json(instance, "full", _NOTHING, encoding))
            if found is None:
                found = {tag: each for tag, each in elements.items() if each.Type == "String"}
            else:
                found = {
                    tag: each for tag, each in found.items() if _is_same(each, elements.get(tag))
                }
            if not found:
                break
        shared = found or {}
        if form == "full":
            return _encode(shared)
        if form == "short":
            return _encode({tag: each.Value for tag, each in shared.items()})
        return _encode({each.Name: each.Value for each in shared.values()})

    def module(
        self,
        caller: Caller,
        level: Level,
        public: bytes,
        tags: Iterable[int],
        form: Format,
        unlimited: frozenset[int] = _NOTHING,
    ) -> bytes:
        """Those of `tags`, in ascending order, that the first instance of a resource has, as one
        JSON object. Raises UnknownResource."""

        def read(view: Snapshot) -> Resource:
            found = found_or_raise(view.resource(level, public))
            return found_or_raise(first_instance(view, found))

        instance = self._read(caller, read)
        members = _decode_members(self.json(instance, "full", unlimited))
        found = {text: members[text] for text in map(tag_text, tags) if text in members}
        if form == "full":
            return _encode(found)
        elements: dict[str, Any] = {
            tag: msgspec.json.decode(member) for tag, member in found.items()
        }
        return _encode(
            {
                (tag if form == "short" else each["Name"]): reduced(each, form == "short")
                for tag, each in elements.items()
            }
        )

    def _present(self, caller: Caller, instances: Iterable[bytes]) -> Iterator[Resource]:
        """Each from a snapshot of its own, for a slow reader must not keep an old one alive."""
        for public in instances:
            instance = self._read(caller, partial(_instance, public=public))
            if instance is not None:
                yield instance


def _instance(view: Snapshot, public: bytes) -> Resource | None:
    return view.resource(Level.INSTANCE, public)


def _is_same(one: _Element, other: _Element | None) -> bool:
    return other is not None and other.Type == "String" and bytes(one.Value) == bytes(other.Value)
