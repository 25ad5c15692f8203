"""The folders in which the store can be read: by-dates, by-patients, by-studies and by-uids.

Nothing of them is kept but the names of large folders, for a short time: a folder of 100,000
patients costs a pass over their main tags, and then over those of patients that have come. A
listing is read some records at a time. Methods read the index; those of large folders take a while,
and are called in threads.

Source: reference chapter 4, section 10.1; what paths lead to that are not there, the running
server.
"""

from collections.abc import Iterator
from typing import Final, TypeVar

from orthanc_fast.dicom.identifiers import from_text, to_text
from orthanc_fast.errors import ParameterOutOfRange, UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import packed_parts, unpack
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT, RECEPTION_DATE
from orthanc_fast.services.browse.describe import Describer
from orthanc_fast.services.store.lookup import records
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.terms import SOP_INSTANCE_UID
from orthanc_fast.services.webdav.dates import months, studies_below, studies_of_month, years
from orthanc_fast.services.webdav.documents import document
from orthanc_fast.services.webdav.instants import second_of
from orthanc_fast.services.webdav.name_memory import NameMemory
from orthanc_fast.services.webdav.names import (
    PATIENTS,
    SERIES,
    SERIES_BY_UID,
    STUDIES,
    STUDIES_BY_UID,
    STUDIES_OF_PATIENT,
    Names,
    Style,
    named,
    names_of,
    safe_uid,
)
from orthanc_fast.services.webdav.nodes import (
    MEDIA_TYPES,
    Branch,
    Document,
    Item,
    Node,
    Shelf,
    StoredFile,
)

T = TypeVar("T")

BY_DATES, BY_PATIENTS, BY_STUDIES, BY_UIDS = "by-dates", "by-patients", "by-studies", "by-uids"
VIEWS: Final = (BY_DATES, BY_PATIENTS, BY_STUDIES, BY_UIDS)

DICOM, JSON = MEDIA_TYPES["dcm"], MEDIA_TYPES["json"]
_DOCUMENTS: Final = {Level.SERIES: "study.json", Level.INSTANCE: "series.json"}  # by what is beside
_NAMED_AT_ONCE: Final = 1000
_LISTED_AT_ONCE: Final = 200
SMALL: Final = 200  # resources that an event loop may name

NOWHERE: Final = Shelf(Level.PATIENT)
"""Where a folder is not there Orthanc shows an empty one."""


class Tree:
    """Finds what a path leads to, and lists it."""

    def __init__(self, reads: Reads, describer: Describer) -> None:
        self._reads = reads
        self._describer = describer
        self._memory = NameMemory()
        self._listed: dict[Level, tuple[tuple[int, int], bytes]] = {}

    def find(self, caller: Caller, path: list[str]) -> Node | None:
        """What a path below the root leads to, which begins with one of `VIEWS`. Raises
        ParameterOutOfRange, or InternalError for a date that is none."""
        view, *parts = path
        if view == BY_UIDS:
            return self._by_uids(caller, parts)
        if view == BY_DATES:
            if not parts:
                return self._reads(caller, years)
            if len(parts) == 1:
                return self._reads(caller, lambda view: months(view, parts[0]))
            packed = self._reads(caller, lambda view: studies_of_month(view, parts[1]))
            return self._walk(caller, Shelf(Level.STUDY, packed, STUDIES), parts[2:])
        style = PATIENTS if view == BY_PATIENTS else STUDIES
        return self._walk(caller, self._all(caller, style), parts)

    def check_listed(self, path: list[str]) -> None:
        """Raises ParameterOutOfRange for a date or UID with a wildcard, which Orthanc refuses where
        a folder is listed."""
        looked_up = path[1:3] if path[0] in (BY_DATES, BY_UIDS) else []
        if any("*" in part or "?" in part for part in looked_up):
            raise ParameterOutOfRange("a path has no wildcards")

    def is_small(self, node: Node) -> bool:
        """Whether listing it takes so little time that an event loop can do it."""
        return not isinstance(node, Shelf) or len(node.packed) <= SMALL * SHA1

    def items(self, caller: Caller, node: Shelf | Branch) -> Iterator[list[Item]]:
        """What lies in a folder, some at a time."""
        if isinstance(node, Branch):
            yield [Item(name) for name in node.names]
            return
        if node.by_uid and node.owner is not None:
            body = self._document(caller, node.owner)
            yield [Item(_DOCUMENTS[node.level], kind=JSON, size=len(body))]
        if node.style is None:
            yield from self._files(caller, node)
        elif node.style.is_exact:
            yield from self._exact(caller, node, node.style)
        else:
            yield from self._folders(caller, node.level, self._names(caller, node))

    def below(self, caller: Caller, node: Node) -> tuple[Level, bytes]:
        """What is deleted with it: the resources of a level, packed. JSON is no resource."""
        if isinstance(node, StoredFile):
            return Level.INSTANCE, node.instance.public
        if isinstance(node, Branch) and node.year is not None:
            year = node.year
            return Level.STUDY, self._reads(caller, lambda view: studies_below(view, year))
        if isinstance(node, Shelf):
            owner = node.owner
            return (node.level, node.packed) if owner is None else (owner.level, owner.public)
        return Level.STUDY, b""

    # Finding

    def _all(self, caller: Caller, style: Style) -> Shelf:
        packed = self._reads(
            caller,
            lambda view: (
                view.listing_packed(style.level)
                if caller.is_limited
                else self._listing(view, style.level)
            ),
        )
        return Shelf(style.level, packed, style)

    def _listing(self, view: Snapshot, level: Level) -> bytes:
        """All resources of a level. They are the same as long as none has been made, which takes a
        number, and none is gone: then nothing is read."""
        totals = view.totals()
        stamp = (totals.next_id, totals.resources[level])
        known = self._listed.get(level)
        if known is not None and known[0] == stamp:
            return known[1]
        packed = view.listing_packed(level)
        self._listed[level] = (stamp, packed)
        return packed

    def _walk(self, caller: Caller, shelf: Shelf, parts: list[str]) -> Node | None:
        for number, part in enumerate(parts):
            if shelf.style is None:
                is_last = number == len(parts) - 1
                return self._instance(caller, shelf, part) if is_last else None
            public = self._names(caller, shelf).find(part)
            inside = None if public is None else self._inside(caller, shelf, public)
            if inside is None:
                return NOWHERE
            shelf = inside
        return shelf

    def _inside(self, caller: Caller, shelf: Shelf, public: bytes) -> Shelf | None:
        """What lies in the folder of a resource."""

        def read(view: Snapshot) -> Shelf | None:
            owner = view.resource(shelf.level, public)
            if owner is None:
                return None
            below = Level(owner.level + 1)
            styles = {Level.STUDY: STUDIES_OF_PATIENT, Level.SERIES: SERIES}
            if shelf.by_uid:
                styles = {Level.SERIES: SERIES_BY_UID}
            packed = view.children_packed(owner)
            return Shelf(below, packed, styles.get(below), owner, shelf.by_uid)

        return self._reads(caller, read)

    def _instance(self, caller: Caller, shelf: Shelf, name: str) -> StoredFile | None:
        """A file that is called after the identifier of its instance."""
        public = from_text(name.removesuffix(".dcm")) if name.endswith(".dcm") else None
        if public is None or shelf.owner is None:
            return None
        found = self._reads(caller, lambda view: view.resource(Level.INSTANCE, public))
        if found is None or found.parent_public != shelf.owner.public:
            return None
        return StoredFile(name, found) if name == _file_name(found) else None

    def _by_uids(self, caller: Caller, parts: list[str]) -> Node | None:
        studies = Shelf(Level.STUDY, style=STUDIES_BY_UID, by_uid=True)
        if not parts:
            return studies._replace(packed=self._all(caller, STUDIES_BY_UID).packed)
        uid, *below = parts
        study = self._with_uid(caller, studies, uid)
        if not below:
            return study or NOWHERE
        if below == [_DOCUMENTS[Level.SERIES]]:
            return None if study is None else self._beside(caller, study)
        series = None if study is None else self._with_uid(caller, study, below[0])
        if len(below) == 1:
            return series or NOWHERE
        if series is None or len(below) > 2:
            return None
        if below[1] == _DOCUMENTS[Level.INSTANCE]:
            return self._beside(caller, series)
        return self._instance_by_uid(caller, series, below[1])

    def _beside(self, caller: Caller, shelf: Shelf) -> Document:
        assert shelf.owner is not None
        return Document(_DOCUMENTS[shelf.level], self._document(caller, shelf.owner))

    def _with_uid(self, caller: Caller, shelf: Shelf, uid: str) -> Shelf | None:
        """The folder of the first study, or series of a study, that has this UID."""
        assert shelf.style is not None
        (tag,) = shelf.style.tags

        def read(view: Snapshot) -> bytes | None:
            for found in view.with_term(shelf.level, tag, uid):
                is_here = shelf.owner is None or found.parent_public == shelf.owner.public
                if is_here and found.tags.get(tag) == uid and safe_uid(uid) is not None:
                    return found.public
            return None

        public = self._reads(caller, read)
        return None if public is None else self._inside(caller, shelf, public)

    def _instance_by_uid(self, caller: Caller, shelf: Shelf, name: str) -> StoredFile | None:
        assert shelf.owner is not None
        series = shelf.owner.public
        uid = name.removesuffix(".dcm")

        def read(view: Snapshot) -> StoredFile | None:
            for found in view.with_term(Level.INSTANCE, SOP_INSTANCE_UID, uid):
                if found.parent_public == series and _uid_name(found) == name:
                    return StoredFile(name, found)
            return None

        return self._reads(caller, read) if name.endswith(".dcm") else None

    # Naming and listing

    def _names(self, caller: Caller, shelf: Shelf) -> Names:
        style = shelf.style
        assert style is not None
        if len(shelf.packed) <= SMALL * SHA1:
            publics = list(unpack(shelf.packed))
            return self._reads(caller, lambda view: named(names_of(view, style, publics)))
        return self._memory.names(
            style, shelf.packed, lambda packed: self._pairs(caller, style, packed)
        )

    def _pairs(self, caller: Caller, style: Style, packed: bytes) -> Iterator[tuple[str, bytes]]:
        """Name and identifier of each; no snapshot lives longer than a part of them takes."""
        for part in packed_parts(packed, _NAMED_AT_ONCE):

            def read(view: Snapshot, part: bytes = part) -> list[tuple[str, bytes]]:
                return list(names_of(view, style, list(unpack(part))))

            yield from self._reads(caller, read)

    def _folders(self, caller: Caller, level: Level, names: Names) -> Iterator[list[Item]]:
        for start in range(0, len(names), _LISTED_AT_ONCE):
            numbers = range(start, min(start + _LISTED_AT_ONCE, len(names)))
            publics = [names.public(number) for number in numbers]

            def read(view: Snapshot, publics: list[bytes] = publics) -> list[Resource | None]:
                return view.resources(level, publics)

            yield [
                Item(names.name(number), each.last_update)
                for number, each in zip(numbers, self._reads(caller, read), strict=True)
                if each is not None
            ]

    def _exact(self, caller: Caller, shelf: Shelf, style: Style) -> Iterator[list[Item]]:
        (tag,) = style.tags
        for found in self._records(caller, shelf):
            names = ((safe_uid(each.tags.get(tag, "")), each) for each in found)
            yield [Item(name, each.last_update) for name, each in names if name is not None]

    def _files(self, caller: Caller, shelf: Shelf) -> Iterator[list[Item]]:
        for found in self._records(caller, shelf):
            name_of = _uid_name if shelf.by_uid else _file_name
            yield [
                Item(name, second_of(each.metadata.get(RECEPTION_DATE)), DICOM, _size(each))
                for each in found
                if (name := name_of(each)) is not None
            ]

    def _records(self, caller: Caller, shelf: Shelf) -> Iterator[list[Resource]]:
        for part in packed_parts(shelf.packed, _LISTED_AT_ONCE):

            def read(view: Snapshot, part: bytes = part) -> list[Resource]:
                return next(records(view, shelf.level, part), [])

            yield self._reads(caller, read)

    def _document(self, caller: Caller, resource: Resource) -> bytes:
        def read(view: Snapshot) -> bytes:
            found = view.resource(resource.level, resource.public)
            if found is None:
                raise UnknownResource
            return document(self._describer.describe(view, found))

        return self._reads(caller, read)


def _file_name(instance: Resource) -> str:
    return f"{to_text(instance.public)}.dcm"


def _uid_name(instance: Resource) -> str | None:
    uid = safe_uid(instance.tags.get(SOP_INSTANCE_UID, ""))
    return None if uid is None else f"{uid}.dcm"


def _size(instance: Resource) -> int:
    file = instance.attachments.get(DICOM_ATTACHMENT)
    return 0 if file is None else file.size
