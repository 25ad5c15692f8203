"""What a plan does with the elements of files, told to the client: the answers of dry runs.

The actions are those that the compiled walk has taken; no rule is repeated here.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.dictionary import TEXT_VRS, Dictionary, creator_tag, tag_text
from orthanc_fast.dicom.edits import Action, Change
from orthanc_fast.dicom.json_values import Embedded
from orthanc_fast.dicom.tag_paths import EVERY_ITEM, TagPath
from orthanc_fast.dicom.text import CharacterSet, decode, without_padding
from orthanc_fast.services.modification.apply import Changes
from orthanc_fast.services.modification.identifiers import Kind
from orthanc_fast.services.modification.masking import PIXELS

_NAMES: Final = {
    None: "Kept",
    Action.KEEP: "Kept",
    Action.REMOVE: "Removed",
    Action.CLEAR: "Cleared",
    Action.REPLACE: "Replaced",
    Action.MAP: "Remapped",
}
_LONGEST_TEXT: Final = 256


class Row(msgspec.Struct, kw_only=True):
    """One element, or the elements of one path in several instances. `OldValue` and `NewValue` are
    those of the first instance, null where there is none, where it is no text, and where a new
    identifier differs from request to request; `Instances` is how many have it."""

    Path: str
    Name: str
    Action: str
    OldValue: str | None
    NewValue: Any
    Instances: int


class Explanation:
    """The rows of one request. `exact` keeps the numbers of items; without it a path stands for all
    items. `identifiers_last` tells that another request gives the same new identifiers."""

    def __init__(
        self, dictionary: Dictionary, *, exact: bool, identifiers_last: bool = False
    ) -> None:
        self._dictionary = dictionary
        self._exact = exact
        self._identifiers_last = identifiers_last
        self._rows: dict[tuple[TagPath, str], Row] = {}
        self.instances = 0
        self.not_judged: Counter[str] = Counter()

    def add(self, found: Changes) -> None:
        """One more instance."""
        self.instances += 1
        self.not_judged.update(found.not_judged)
        last: dict[TagPath, Change] = {}
        for change in found.changes:
            before = last.get(change.path)
            last[change.path] = change if before is None else _joined(before, change)
        creators = _creators(last.values())
        seen: set[tuple[TagPath, str]] = set()
        for path, change in last.items():
            is_blanked = found.is_masked and path.is_root and path.tag in PIXELS
            action = "Masked" if is_blanked else self._action(change)
            key = (path if self._exact else _every_item(path), action)
            row = self._rows.get(key)
            if row is None:
                self._rows[key] = self._row(key, change, creators, found)
            elif key not in seen:
                row.Instances += 1
            seen.add(key)

    def rows(self) -> list[Row]:
        """In the order of their paths."""
        return [self._rows[key] for key in sorted(self._rows)]

    def _action(self, change: Change) -> str:
        if change.action is Action.REPLACE and change.old is None and not change.size:
            return "Added"
        if change.action is Action.MAP and change.old is not None and change.new is not None:
            return _mapped(change)
        return _NAMES[change.action]

    def _row(
        self,
        key: tuple[TagPath, str],
        change: Change,
        creators: dict[tuple[Any, int], bytes],
        found: Changes,
    ) -> Row:
        path, action = key
        creator = creators.get((change.path.parents, creator_tag(change.path.tag) or 0))
        entry = self._dictionary.entry(path.tag, creator)
        vr = change.vr if change.vr not in ("", "UN") else self._dictionary.vr(path.tag, creator)
        return Row(
            Path=_text(path),
            Name=self._dictionary.name(path.tag) if entry is None else entry[0].decode(),
            Action=action,
            OldValue=_shown(change.old, vr, found.character_set),
            NewValue=self._new(change, vr, found),
            Instances=1,
        )

    def _new(self, change: Change, vr: str, found: Changes) -> Any:
        if change.action is Action.REPLACE:
            return _replacement(found.replacements[change.argument].value)
        if change.action is Action.CLEAR:
            return ""
        if change.action is Action.MAP and change.new is not None:
            is_identifier = change.argument in tuple(Kind)
            if self._identifiers_last or not is_identifier:
                return _shown(change.new, vr, found.character_set)
        return None


def _replacement(value: Any) -> Any:
    """JSON as it came; of what an image or document brings along only the texts."""
    if not isinstance(value, Embedded):
        return value
    return bytes(value.value).decode().rstrip(" \0") if value.vr in TEXT_VRS else None


def _joined(before: Change, after: Change) -> Change:
    """Two steps that act on the same element: what was there before both is what is old."""
    return after._replace(old=before.old, size=before.size, big=before.big)


def _mapped(change: Change) -> str:
    if (change.old or b"").rstrip(b" \0") == (change.new or b"").rstrip(b" \0"):
        return "Kept"
    return "Remapped"


def _creators(changes: Iterable[Change]) -> dict[tuple[Any, int], bytes]:
    """Private creators, by the data set and the tag at which they stand."""
    return {
        (change.path.parents, change.path.tag): change.old.strip(b" \0")
        for change in changes
        if change.old and change.path.tag >> 16 & 1 and 0x10 <= change.path.tag & 0xFFFF <= 0xFF
    }


def _every_item(path: TagPath) -> TagPath:
    return TagPath(tuple((tag, EVERY_ITEM) for tag, _ in path.parents), path.tag)


def _text(path: TagPath) -> str:
    parents = "".join(
        f"{tag_text(tag)}[{'*' if item == EVERY_ITEM else item}]." for tag, item in path.parents
    )
    return parents + tag_text(path.tag)


def _shown(raw: bytes | None, vr: str, character_set: CharacterSet) -> str | None:
    if raw is None or vr not in TEXT_VRS:
        return None
    return decode(without_padding(raw, vr), character_set, vr)[:_LONGEST_TEXT]
