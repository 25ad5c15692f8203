"""A plan applied to the file of one instance.

Source: reference chapter 3, sections 3.2.5 and 3.3.3; DICOM PS3.10 section 7.1.
"""

import itertools
from collections.abc import Callable, Iterator

import msgspec

from orthanc_fast._ext.scan import ScanError
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.edits import Change, Edited, edited, edited_element
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.dicom.file_meta import NO_SOP_CLASS, meta_header
from orthanc_fast.dicom.json_values import Elements
from orthanc_fast.dicom.part10 import Buffer, DicomFile, open_dicom
from orthanc_fast.dicom.text import CharacterSet, character_set_of
from orthanc_fast.dicom.walk import first_value, root_value
from orthanc_fast.errors import BadFileFormat, BadRequest
from orthanc_fast.services.modification.dates import shifted
from orthanc_fast.services.modification.identifiers import Identifiers, Kind
from orthanc_fast.services.modification.masking import Masking
from orthanc_fast.services.modification.not_judged import SHORT, judge
from orthanc_fast.services.modification.options import Option
from orthanc_fast.services.modification.plan import (
    CLEANED,
    KIND_OF_KEY,
    PATIENT_NAME,
    SHIFTED,
    Plan,
    Replacement,
)
from orthanc_fast.services.modification.recorded import CLEAN_PIXEL_DATA
from orthanc_fast.services.modification.request import PATIENT_ID, SOP_UID
from orthanc_fast.services.modification.studies import Studies
from orthanc_fast.services.transcoding.transcode import deflated
from orthanc_fast.transfer_syntaxes import DEFLATED, EXPLICIT_LITTLE, SYNTAXES

_CHARACTER_SET = 0x00080005
_SOP_CLASS = 0x00080016
_IMPLICIT = Writer(explicit=False, big=False)


class Modified(msgspec.Struct, frozen=True):
    """The file of the new instance, as bytes and parts of the old file, in turn."""

    parts: list[Buffer]
    sop_instance_uid: bytes
    not_judged: frozenset[str] = frozenset()  # see `not_judged`

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))

    @property
    def data(self) -> bytes:
        """All of it, joined."""
        return b"".join(self.parts)


class Changes(msgspec.Struct, frozen=True):
    """What a plan does with the elements of one file, in which character set their old values are,
    and the new ones of those that are replaced."""

    changes: list[Change]
    character_set: CharacterSet
    replacements: tuple[Replacement, ...]
    not_judged: frozenset[str] = frozenset()
    is_masked: bool = False  # pixels are blanked


class Modifier:
    """Carries out one plan; may be used by several threads. `identifiers` are those of the
    request."""

    def __init__(
        self,
        plan: Plan,
        identifiers: Identifiers,
        dictionary: Dictionary,
        default_character_set: Callable[[], str],
        studies: Studies,
    ) -> None:
        self._plan = plan
        self._identifiers = identifiers
        self._dictionary = dictionary
        self._default_character_set = default_character_set
        self._studies = studies
        self._masking = Masking(plan.asked.masks, dictionary)
        self._of_masked = (
            None
            if plan.masked is None
            else Modifier(plan.masked, identifiers, dictionary, default_character_set, studies)
        )
        self._values: dict[tuple[CharacterSet, bool, bool], list[tuple[bytes, bytes]]] = {}

    def modified(self, file: Buffer) -> Modified:
        """The new file. Raises BadRequest where the plan removes what identifies an instance,
        BadFileFormat for a file or value that is none, BadParameterType, UnknownDicomTag; where
        pixels are blanked what `Masking.masked` raises."""
        if self._of_masked is not None and self._masking.applies(file):
            return self._of_masked.modified(self._masking.masked(file))
        source = self._opened(file)
        changes: list[Change] | None = [] if self._plan.is_judged else None
        found = self._edited(source, changes)
        head = b"".join(found.head)
        new = msgspec.structs.replace(source, data=head, start=0)
        sop_class, sop_uid = first_value(new, _SOP_CLASS), first_value(new, SOP_UID)
        syntax = self._syntax(source)
        sop_uid = (sop_uid or b"").rstrip(b" \0")
        sop_class = NO_SOP_CLASS if sop_class is None else sop_class.rstrip(b" \0")
        header = meta_header(sop_class, sop_uid, syntax)
        parts = [head, *found.rest]
        return Modified(
            [header, *(deflated(parts) if syntax == DEFLATED else parts)],
            sop_uid,
            self._not_judged(source, changes) if changes is not None else frozenset(),
        )

    def _syntax(self, source: DicomFile) -> str:
        syntax = source.known_syntax or source.syntax or EXPLICIT_LITTLE
        known = SYNTAXES.get(syntax)
        is_compressed = known is not None and known.is_encapsulated
        return EXPLICIT_LITTLE if is_compressed and self._plan.makes_pixels else syntax

    def look_at(self, file: Buffer) -> None:
        """Remembers what identifies in this file, so that it is taken out of the texts of its whole
        study. Raises BadFileFormat."""
        if self._plan.cleans:
            self._studies.add(self._opened(file))

    def changes(self, file: Buffer) -> Changes:
        """What `modified` would do with each element; nothing is made of it. Raises the same."""
        if self._of_masked is not None and self._masking.applies(file):
            return msgspec.structs.replace(self._of_masked.changes(file), is_masked=True)
        source = self._opened(file)
        found: list[Change] = []
        self._edited(source, found)
        return Changes(
            found,
            self._studies.character_set(source),
            self._plan.replacements,
            self._not_judged(source, found),
        )

    def _not_judged(self, source: DicomFile, changes: list[Change]) -> frozenset[str]:
        found = judge(changes, CLEAN_PIXEL_DATA in self._plan.codes)
        if self._plan.cleans and self._studies.has_short_values(source):
            found.add(SHORT)
        return frozenset(found)

    def _opened(self, file: Buffer) -> DicomFile:
        if self._plan.asked.removes_a_key:
            raise BadRequest("It is forbidden to remove one of the main Dicom identifiers")
        try:
            return open_dicom(file)
        except ScanError as error:
            raise BadFileFormat(str(error)) from error

    def _edited(self, source: DicomFile, changes: list[Change] | None = None) -> Edited:
        self._give(source)
        values, remap = self._values_for(source), self._remap(source)
        return edited(source, self._plan.steps, values, remap, changes)

    def _give(self, source: DicomFile) -> None:
        """What the request sets as UID is also what the old one's references become."""
        if self._plan.asked.profile is None:
            return
        for tag, new in self._plan.given.items():
            old = first_value(source, tag)
            if old is not None:
                self._identifiers.give(KIND_OF_KEY[tag], old, new)

    def _remap(self, source: DicomFile) -> Callable[[int, bytes], bytes]:
        options = self._plan.asked.options
        cleaner = self._studies.cleaner(source) if self._plan.cleans else None
        days = 0
        if Option.RetainLongitudinalModifiedDates in options:
            patient = root_value(source, PATIENT_ID) or b""
            days = self._identifiers.days(patient) if options.days is None else options.days
        identified = self._identified(first_value(source, SOP_UID) or b"")
        if cleaner is None and not days:
            return identified
        character_set = self._studies.character_set(source)

        def remap(kind: int, old: bytes) -> bytes:
            if kind == SHIFTED:
                return shifted(old, days)
            if kind == CLEANED:
                assert cleaner is not None  # the plan cleans
                return cleaner.cleaned(old, character_set)
            return identified(kind, old)

        return remap

    def _identified(self, instance: bytes) -> Callable[[int, bytes], bytes]:
        """New identifiers. What the request writes itself is neither cleaned nor moved."""
        places: Iterator[int] = itertools.count()

        def remap(kind: int, old: bytes) -> bytes:
            if kind in (CLEANED, SHIFTED):
                return old
            place = b"" if old.strip(b" \0") else b"%s|%d" % (instance, next(places))
            return self._identifiers.new(Kind(kind), old, place)

        return remap

    def _values_for(self, source: DicomFile) -> list[tuple[bytes, bytes]]:
        """The replacements, as this file and as UN in it encode them."""
        if not self._plan.replacements:
            return []
        announced = self._plan.asked.replaced.get(_CHARACTER_SET)
        if isinstance(announced, str):
            raw: bytes | None = announced.encode("latin-1", "ignore")
        elif _CHARACTER_SET in self._plan.root and _CHARACTER_SET not in self._plan.asked.kept:
            raw = None
        else:
            raw = first_value(source, _CHARACTER_SET)
        character_set = character_set_of(raw, self._default_character_set())
        key = (character_set, source.explicit, source.big)
        found = self._values.get(key)
        if found is None:
            native = self._elements(character_set, Writer(source.explicit, source.big))
            found = list(zip(native, self._elements(character_set, _IMPLICIT), strict=True))
            self._values[key] = found
        return self._named(source, character_set, found) if self._plan.pseudonyms else found

    def _named(
        self, source: DicomFile, character_set: CharacterSet, values: list[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """With the pseudonym of this patient."""
        name = self._identifiers.name(root_value(source, PATIENT_ID) or b"")
        native, implicit = (
            self._encoder(character_set, write).element(PATIENT_NAME, name)
            for write in (Writer(source.explicit, source.big), _IMPLICIT)
        )
        numbers = self._plan.pseudonyms
        return [
            (native, implicit) if number in numbers else each for number, each in enumerate(values)
        ]

    def _elements(self, character_set: CharacterSet, write: Writer) -> list[bytes]:
        elements = self._encoder(character_set, write)
        return [
            self._walked(_element(elements, each), each, write) for each in self._plan.replacements
        ]

    def _encoder(self, character_set: CharacterSet, write: Writer) -> Elements:
        return Elements(
            dictionary=self._dictionary,
            character_set=character_set,
            write=write,
            private_creator=self._plan.asked.private_creator,
            literal=self._plan.asked.literal,
        )

    def _walked(self, element: bytes, replacement: Replacement, write: Writer) -> bytes:
        """A new sequence as the profile leaves it."""
        rules = self._plan.of_replaced
        if rules is None or not replacement.is_walked:
            return element
        return edited_element(element, write.explicit, write.big, rules, self._identified(b"new"))


def _element(elements: Elements, replacement: Replacement) -> bytes:
    make = elements.root_element if replacement.is_root else elements.element
    return make(replacement.tag, replacement.value)
