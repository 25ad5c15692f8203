"""What is to be done with the elements of a data set, made ready for `_ext.edit`.

Source: reference chapter 3, sections 3.2.5, 3.3.3 and 3.3.4.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from orthanc_fast._ext.edit import EditError, Rules, edit
from orthanc_fast.dicom.dictionary import TEXT_VRS, Dictionary
from orthanc_fast.dicom.part10 import Buffer, DicomFile
from orthanc_fast.dicom.tag_paths import EVERY_ITEM, TagPath
from orthanc_fast.errors import BadFileFormat

_ELEMENT = -2  # in the place of an item: the step is the element itself

LONGEST_SHOWN = 4096

_MAX_NODES = 100_000
_CREATOR_SIZE = 64

# Of implicit VR, whose texts people may have written freely.
_FREE_TEXTS = frozenset(["LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"])


class Action(IntEnum):
    """What happens to an element. The numbers are those of `_ext.edit`."""

    KEEP = 1  # with all that is in it
    REMOVE = 2
    CLEAR = 3  # below the root texts only: what is no text is removed
    REPLACE = 4  # by the value of that number; at the root also where it is absent
    MAP = 5  # by an identifier of that kind
    ADD = 6  # the value of that number, where the root has no such element


Rule = tuple[Action, int]  # and its argument
PathRule = tuple[TagPath, Action, int]


class Tables:
    """Makes rules; one per dictionary."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._version = -1
        self._kinds = b""

    @property
    def _standard_kinds(self) -> bytes:
        version = self._dictionary.version
        if version != self._version:
            self._kinds = b"".join(
                struct.pack("=II", tag, _kind(entry[1].decode()))
                for tag, entry in sorted(self._dictionary.standard.items())
            )
            self._version = version
        return self._kinds

    def vr(self, tag: int) -> str:
        """Of a standard attribute."""
        return self._dictionary.vr(tag)

    def rules(
        self,
        root: Mapping[int, Rule],
        nested: Mapping[int, Rule],
        ranges: Iterable[tuple[int, int]] = (),
        paths: Sequence[PathRule] = (),
        private_root: bool = False,
        private_nested: bool = False,
        safe: Mapping[str, Iterable[int]] | None = None,
        texts: int = -1,
        dates: int = -1,
    ) -> Rules:
        """`ranges` are (mask, value) of tags that are removed, at the root and in items, where no
        rule names them; `private_root` and `private_nested` tell that private elements are, but for
        those of `safe`: by creator, group << 8 | element of its block. What people may have written
        freely, and dates, are mapped with the arguments `texts` and `dates`, unless these are
        negative, where no rule names them."""
        steps, nodes = _paths(paths)
        creators = sorted(safe or {})
        return Rules(
            self._packed(root),
            self._packed(nested),
            b"".join(struct.pack("=IIi", *pair, Action.REMOVE) for pair in ranges),
            steps,
            nodes,
            self._standard_kinds,
            private_root,
            private_nested,
            b"".join(
                struct.pack("=II", number, key)
                for number, creator in enumerate(creators)
                for key in sorted((safe or {})[creator])
            ),
            b"".join(creator.encode().ljust(_CREATOR_SIZE, b"\0") for creator in creators),
            texts,
            dates,
        )

    def path_rules(self, paths: Sequence[PathRule]) -> list[Rules]:
        """Rules for paths alone, to be carried out one after the other: where one path leads
        through an element that another one names, the order matters."""
        batches: list[_Batch] = []
        for rule in paths:
            if not batches or batches[-1].is_touched_by(rule[0]):
                batches.append(_Batch())
            batches[-1].add(rule)
        return [self.rules({}, {}, paths=batch.rules) for batch in batches]

    def _packed(self, rules: Mapping[int, Rule]) -> bytes:
        rows = []
        for tag, (action, argument) in sorted(rules.items()):
            if action is Action.CLEAR:  # the VR of implicit VR
                argument = self._dictionary.vr(tag) in TEXT_VRS
            rows.append(struct.pack("=Iii", tag, action, argument))
        return b"".join(rows)


class _Batch:
    """Rules that may be carried out at once, as none names an element that another one names or
    leads through. Items are looked at only where both say which: there may be thousands of
    rules."""

    def __init__(self) -> None:
        self.rules: list[PathRule] = []
        self._paths: set[TagPath] = set()
        self._ends: set[tuple[int, ...]] = set()
        self._wild_ends: set[tuple[int, ...]] = set()
        self._ways: set[tuple[int, ...]] = set()

    def add(self, rule: PathRule) -> None:
        path = rule[0]
        *ways, end = _tags(path)
        self.rules.append(rule)
        self._paths.add(path)
        self._ends.add(end)
        self._ways.update(ways)
        if _is_wild(path):
            self._wild_ends.add(end)

    def is_touched_by(self, path: TagPath) -> bool:
        *ways, end = _tags(path)
        if end in self._ways or not self._ends.isdisjoint(ways):
            return True
        if end in self._ends and (_is_wild(path) or end in self._wild_ends):
            return True
        return path in self._paths


def _tags(path: TagPath) -> list[tuple[int, ...]]:
    """The tags on the way to each sequence of the path, and to its end."""
    tags = (*(tag for tag, _ in path.parents), path.tag)
    return [tags[:length] for length in range(1, len(tags) + 1)]


def _is_wild(path: TagPath) -> bool:
    return any(item == EVERY_ITEM for _, item in path.parents)


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
        below: dict[tuple[int, int], list[PathRule]] = {}
        for path, action, argument in here:
            if path.parents:
                rest = TagPath(path.parents[1:], path.tag)
                below.setdefault(path.parents[0], []).append((rest, action, argument))
        for (tag, item), into in sorted(below.items(), key=lambda each: each[0]):
            every = () if item == EVERY_ITEM else below.get((tag, EVERY_ITEM), ())
            rows[tag, item] = (0, len(waiting))
            waiting.append([*into, *every])
            if len(waiting) > _MAX_NODES:
                raise BadFileFormat("too many paths")
        for path, action, argument in here:
            if not path.parents:
                rows.setdefault((path.tag, _ELEMENT), (action, argument))
        for (tag, item), (what, argument) in sorted(rows.items()):
            steps.append(struct.pack("=Iiii", tag, item, what, argument))
        nodes.append((begin, len(steps)))
    return b"".join(steps), b"".join(struct.pack("=ii", *node) for node in nodes)


def _kind(vr: str) -> int:
    if vr in ("DA", "DT"):
        return 3
    return 1 if vr == "SQ" else 2 if vr in _FREE_TEXTS else 0


class Change(NamedTuple):
    """What is done with one element: `action` None where nothing acts on it. `old` is its value,
    None where there was none or it is too long to be shown; `size` the bytes of it. `new` is that
    of an element that is mapped."""

    path: TagPath
    vr: str  # of explicit VR
    action: Action | None
    argument: int
    old: bytes | None
    size: int
    new: bytes | None
    big: bool


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
    changes: list[Change] | None = None,
) -> Edited:
    """The data set after all rules, one after the other; all but the first ones are of paths that
    begin before the pixel data. Each of `values` is an element as the file encodes it, and in
    implicit VR little endian. To `changes` is added what is done with each element; of one that
    several rules name the last entry holds. Raises BadFileFormat, and what `remap` raises."""
    trace: list[list[Any]] | None = None if changes is None else []
    data: Buffer = file.data
    start, end = file.start, len(data)
    head: list[Buffer] = []
    rest: list[Buffer] = []
    try:
        for number, each in enumerate(rules):
            if number:
                data = b"".join(head)
                start, end = 0, len(data)
            found = edit(data, start, end, file.explicit, file.big, each, values, remap, trace)
            if changes is not None and trace is not None:
                changes += _changes(trace, data, is_first=not number)
                trace.clear()
            head = list[Buffer](found[0])
            rest = [*found[1], *rest]
    except EditError as error:
        raise BadFileFormat(f"the data set cannot be edited: {error}") from error
    return Edited(head, rest)


def edited_element(
    element: bytes, explicit: bool, big: bool, rules: Rules, remap: Callable[[int, bytes], bytes]
) -> bytes:
    """A single element of a root, as `edited`; the rules have no values."""
    try:
        head, rest = edit(element, 0, len(element), explicit, big, rules, [], remap)
    except EditError as error:
        raise BadFileFormat(f"the data set cannot be edited: {error}") from error
    return b"".join([*head, *rest])


def _changes(trace: Iterable[list[Any]], data: Buffer, is_first: bool) -> Iterator[Change]:
    for parents, tag, vr, number, argument, begin, end, new, big in trace:
        if not is_first and not number:
            continue  # the steps behind the first one are silent about what they leave
        action = Action(number) if number else None
        shown = begin >= 0 and end - begin <= LONGEST_SHOWN
        old = bytes(data[begin:end]) if shown else None
        name = chr(vr >> 8) + chr(vr & 0xFF) if vr else ""
        size = end - begin if begin >= 0 else 0
        yield Change(TagPath(parents, tag), name, action, argument, old, size, new, big)
