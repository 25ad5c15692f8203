"""What is to be done with the elements of a data set, made ready for `_ext.edit`.

Source: reference chapter 3, sections 3.2.5, 3.3.3 and 3.3.4.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from orthanc_fast._ext.edit import EditError, Rules, edit
from orthanc_fast.dicom.dictionary import TEXT_VRS, Dictionary
from orthanc_fast.dicom.part10 import Buffer, DicomFile
from orthanc_fast.dicom.tag_paths import EVERY_ITEM, TagPath
from orthanc_fast.errors import BadFileFormat

_ELEMENT = -2  # in the place of an item: the step is the element itself

_MAX_NODES = 100_000


class Action(IntEnum):
    """What happens to an element. The numbers are those of `_ext.edit`."""

    KEEP = 1  # with all that is in it
    REMOVE = 2
    CLEAR = 3  # below the root texts only: what is no text is removed
    REPLACE = 4  # by the value of that number; at the root also where it is absent
    MAP = 5  # by an identifier of that kind


Rule = tuple[Action, int]  # and its argument
PathRule = tuple[TagPath, Action, int]


class Tables:
    """Makes rules; one per dictionary."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._known = b"".join(
            struct.pack("=II", tag, entry[1] == b"SQ")
            for tag, entry in sorted(dictionary.standard.items())
        )

    def rules(
        self,
        root: Mapping[int, Rule],
        nested: Mapping[int, Rule],
        ranges: Iterable[tuple[int, int]] = (),
        paths: Sequence[PathRule] = (),
        private_root: bool = False,
        private_nested: bool = False,
    ) -> Rules:
        """`ranges` are (mask, value) of tags that are removed, at the root and in items, where no
        rule names them; `private_root` and `private_nested` tell that private elements are."""
        steps, nodes = _paths(paths)
        return Rules(
            self._packed(root),
            self._packed(nested),
            b"".join(struct.pack("=IIi", *pair, Action.REMOVE) for pair in ranges),
            steps,
            nodes,
            self._known,
            private_root,
            private_nested,
        )

    def path_rules(self, paths: Sequence[PathRule]) -> list[Rules]:
        """Rules for paths alone, to be carried out one after the other: where one path leads
        through an element that another one names, the order matters."""
        batches: list[list[PathRule]] = []
        for rule in paths:
            if not batches or any(_touch(rule[0], other[0]) for other in batches[-1]):
                batches.append([])
            batches[-1].append(rule)
        return [self.rules({}, {}, paths=batch) for batch in batches]

    def _packed(self, rules: Mapping[int, Rule]) -> bytes:
        rows = []
        for tag, (action, argument) in sorted(rules.items()):
            if action is Action.CLEAR:  # the VR of implicit VR
                argument = self._dictionary.vr(tag) in TEXT_VRS
            rows.append(struct.pack("=Iii", tag, action, argument))
        return b"".join(rows)


def _touch(one: TagPath, other: TagPath) -> bool:
    """Whether both name the same element, or one leads through that of the other."""
    shorter, longer = sorted((one, other), key=lambda path: len(path.parents))
    for (tag, item), (other_tag, other_item) in zip(shorter.parents, longer.parents, strict=False):
        if tag != other_tag or (item != other_item and EVERY_ITEM not in (item, other_item)):
            return False
    depth = len(shorter.parents)
    tags = [*(tag for tag, _ in longer.parents), longer.tag]
    return tags[depth] == shorter.tag


def _paths(paths: Sequence[PathRule]) -> tuple[bytes, bytes]:
    """A tree of steps. A node holds what all paths that lead to it say: also those through every
    item."""
    if not paths:
        return b"", b""
    steps: list[bytes] = []
    nodes: list[tuple[int, int]] = []
    waiting: list[list[PathRule]] = [list(paths)]
    while len(nodes) < len(waiting):
        here = waiting[len(nodes)]
        begin = len(steps)
        rows: dict[tuple[int, int], tuple[int, int]] = {}
        for tag, item in sorted({path.parents[0] for path, _, _ in here if path.parents}):
            below = [
                (TagPath(path.parents[1:], path.tag), action, argument)
                for path, action, argument in here
                if path.parents and path.parents[0] in ((tag, item), (tag, EVERY_ITEM))
            ]
            rows[tag, item] = (0, len(waiting))
            waiting.append(below)
            if len(waiting) > _MAX_NODES:
                raise BadFileFormat("too many paths")
        for path, action, argument in here:
            if not path.parents:
                rows.setdefault((path.tag, _ELEMENT), (action, argument))
        for (tag, item), (what, argument) in sorted(rows.items()):
            steps.append(struct.pack("=Iiii", tag, item, what, argument))
        nodes.append((begin, len(steps)))
    return b"".join(steps), b"".join(struct.pack("=ii", *node) for node in nodes)


class Edited(NamedTuple):
    """An edited data set, as bytes and parts of the file: what stands before the pixel data's
    group, and the rest."""

    head: list[Buffer]
    rest: list[Buffer]


def edited(
    file: DicomFile,
    rules: Sequence[Rules],
    values: list[tuple[bytes, bytes]],
    remap: Callable[[int, bytes], bytes],
) -> Edited:
    """The data set after all rules, one after the other; all but the first ones are of paths that
    begin before the pixel data. Each of `values` is an element as the file encodes it, and in
    implicit VR little endian. Raises BadFileFormat, and what `remap` raises."""
    data: Buffer = file.data
    start, end = file.start, len(data)
    head: list[Buffer] = []
    rest: list[Buffer] = []
    try:
        for number, each in enumerate(rules):
            if number:
                data = b"".join(head)
                start, end = 0, len(data)
            found = edit(data, start, end, file.explicit, file.big, each, values, remap)
            head = list[Buffer](found[0])
            rest = [*found[1], *rest]
    except EditError as error:
        raise BadFileFormat(f"the data set cannot be edited: {error}") from error
    return Edited(head, rest)
