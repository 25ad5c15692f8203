"""What the identifier of a C-MOVE or C-GET names. Source: reference chapter 4, section 4.1; DICOM
PS3.4 section C.4.

Only the unique key of the level counts, the keys of its parents do not; any level goes with any of
the information models. Values are compared without regard to case and to blanks around them.
"""

from collections.abc import Callable, Iterable
from typing import Final

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import level_named
from orthanc_fast.errors import BadRequest, InexistentItem
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.index.terms import Kind, fold
from orthanc_fast.log import Category, Verbosity, logger
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.numerals import leading_integer
from orthanc_fast.registries import INDEX_IN_SERIES
from orthanc_fast.services.exchange.instances import Chosen
from orthanc_fast.services.modification.profiles import Profile
from orthanc_fast.services.query_retrieve.identifier import (
    QUERY_RETRIEVE_LEVEL,
    Identifier,
    read_identifier,
)
from orthanc_fast.services.query_retrieve.logged import lines
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.terms import (
    PATIENT_ID,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
)
from orthanc_fast.upper_layer.operation import Operation

_ACCESSION_NUMBER: Final = 0x00080050
_KEYS: Final = {
    Level.PATIENT: PATIENT_ID,
    Level.STUDY: STUDY_INSTANCE_UID,
    Level.SERIES: SERIES_INSTANCE_UID,
    Level.INSTANCE: SOP_INSTANCE_UID,
}
# The keys that a C-MOVE may have at each level.
KEYS_TO_MOVE: Final = {
    level: (tag, _ACCESSION_NUMBER) if level == Level.STUDY else (tag,)
    for level, tag in _KEYS.items()
}


Rule = Callable[[Snapshot, Identifier], list[Resource]]
"""`resources_to_move` or `resources_to_get`."""


class RequestedInstances:
    """Finds the instances that requests name; may be used from any thread."""

    def __init__(
        self,
        reads: Reads,
        dictionary: Dictionary,
        character_set: Callable[[], str],
        hidden: Profile | None,
    ) -> None:
        """`character_set` gives that of identifiers which name none; `hidden` is the profile whose
        attributes are not shown in logs, None where all are."""
        self._read = reads
        self._dictionary = dictionary
        self._character_set = character_set
        self._hidden = hidden

    def __call__(self, operation: Operation, caller: Caller, rule: Rule, heading: str) -> Chosen:
        """The resources that are named, and their instances in the order in which they are sent;
        the log gets the identifier under the `heading`. Raises BadFileFormat for one that cannot be
        read, and as the rule."""
        identifier = read_identifier(
            operation.identifier,
            operation.transfer_syntax,
            self._dictionary,
            self._character_set(),
        )

        self._log(identifier, heading)

        def read(view: Snapshot) -> Chosen:
            found = rule(view, identifier)
            return Chosen(found, instances_in_order(view, found))

        return self._read(caller, read)

    def _log(self, identifier: Identifier, heading: str) -> None:
        if logger.level(Category.DICOM) == Verbosity.DEFAULT:
            return
        logger.info(Category.DICOM, heading)
        for line in lines(identifier.elements, self._dictionary, self._hidden):
            logger.info(Category.DICOM, line)


def resources_to_move(view: Snapshot, identifier: Identifier) -> list[Resource]:
    """What a C-MOVE asks for: of a list those that are there; without a level the lowest one of
    which there is a key. Raises BadRequest where there is no key, ParameterOutOfRange for an
    unknown level, InexistentItem where nothing is found."""
    text = identifier.text(QUERY_RETRIEVE_LEVEL)
    key = key_to_move(identifier, None if text is None else level_named(text))
    if key is None:
        raise BadRequest("The identifier of the C-MOVE has no unique key of its level")
    tag, level = key
    texts = filter(None, _texts(identifier, tag))
    found = [each for text in texts for each in _named(view, level, tag, text)]
    if not found:
        raise InexistentItem("Nothing that is stored here has the unique key of the C-MOVE")
    return found


def key_to_move(identifier: Identifier, asked: Level | None) -> tuple[int, Level] | None:
    """By which tag a C-MOVE names something, and of which level: the one that is `asked` for, or
    the lowest one of which there is a key. None where there is no key."""
    for level in reversed(Level) if asked is None else [asked]:
        if level == Level.STUDY and any(_texts(identifier, _ACCESSION_NUMBER)):
            return _ACCESSION_NUMBER, level
        if any(_texts(identifier, _KEYS[level])):
            return _KEYS[level], level
    return None


def resources_to_get(view: Snapshot, identifier: Identifier) -> list[Resource]:
    """What a C-GET asks for; an AccessionNumber counts for a study even if it is empty. Raises
    BadRequest where there is no level, or no key of it, ParameterOutOfRange for an unknown one,
    InexistentItem where one element of a list names nothing."""
    level = identifier.level
    tag = _KEYS[level]
    if level == Level.STUDY and identifier.text(_ACCESSION_NUMBER) is not None:
        tag = _ACCESSION_NUMBER
    texts = _texts(identifier, tag)
    if not texts:
        raise BadRequest("The identifier of the C-GET has no unique key of its level")
    found: list[Resource] = []
    for text in texts:
        named = _named(view, level, tag, text)
        if not named:
            raise InexistentItem(f"Nothing that is stored here has the key {text!r} of the C-GET")
        found += named
    return found


def _texts(identifier: Identifier, tag: int) -> list[str]:
    text = identifier.text(tag)
    return [] if text is None else [part.strip() for part in text.split("\\")]


def _named(view: Snapshot, level: Level, tag: int, text: str) -> list[Resource]:
    """The resources of a level whose `tag` is `text`. Stored values may begin with blanks, which
    requests leave away: of those there are few, so all of them are looked at."""
    search = view.search
    keys = search.equal(Kind.TAG, level, tag, text)
    keys += search.between(Kind.TAG, level, tag, b" ", b" \xff")
    wanted = fold(text)
    found = view.resources(level, list(unpack(search.members(keys))))
    return [each for each in found if each and fold(each.tags.get(tag, "").strip()) == wanted]


def instances_in_order(view: Snapshot, resources: Iterable[Resource]) -> bytes:
    """The identifiers of their instances, joined: series by series, there in the order of the
    instance numbers. What is named twice is there twice, as with Orthanc."""
    found: list[bytes] = []
    for resource in resources:
        if resource.level == Level.INSTANCE:
            found.append(resource.public)
            continue
        for series in view.descendants(resource, Level.SERIES):
            publics = list(unpack(view.search.descend(series, Level.SERIES, Level.INSTANCE)))
            numbers = view.texts_of(Level.INSTANCE, publics, INDEX_IN_SERIES)
            order = sorted(zip(map(_number, numbers), publics, strict=True))
            found += [public for _, public in order]
    return b"".join(found)


def _number(index_in_series: str | None) -> int:
    return leading_integer(index_in_series or "")
