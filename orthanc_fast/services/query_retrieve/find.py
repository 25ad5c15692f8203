"""C-FIND in the Patient and Study Root models: from the identifier to encoded answers. Source:
reference chapter 4, section 3; DICOM PS3.4 annex C.4.1."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from orthanc_fast.dicom.dictionary import Dictionary, is_private_creator, tag_text
from orthanc_fast.dicom.text import term_of
from orthanc_fast.log import Category, Verbosity, logger
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.find.computed import matching_children
from orthanc_fast.services.find.facts import Facts
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.pages import Pages
from orthanc_fast.services.find.parts import READ_AT_ONCE
from orthanc_fast.services.find.query import Below, Condition, FindQuery, Place
from orthanc_fast.services.find.requested import RequestedTags, Value
from orthanc_fast.services.query_retrieve.answer_encoding import AnswerEncoder
from orthanc_fast.services.query_retrieve.identifier import (
    QUERY_RETRIEVE_LEVEL,
    Identifier,
    read_identifier,
)
from orthanc_fast.services.query_retrieve.logged import lines
from orthanc_fast.services.query_retrieve.options import QueryOptions
from orthanc_fast.transfer_syntaxes import SYNTAXES

_CHARACTER_SET = 0x00080005
_TIMEZONE = 0x00080201
_RETRIEVE_TITLE = 0x00080054

# What a query says of itself, and does not search for.
_NOT_MATCHED = frozenset({_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, _TIMEZONE, _RETRIEVE_TITLE})
_FIRST_GROUP = 0x0008
_PORTION = 1 << 18  # bytes of answers that are in memory together
# Values that are in memory together: those of a page.
_VALUES = 50_000
# VRs of values that may be of any size.
_UNLIMITED_VRS = frozenset({"SQ", "UC", "UR", "UT", "UN"})
_IN_FILES = frozenset({Place.BELOW, Place.FAR_BELOW, Place.FILE})
# VRs of texts that may be longer than what the index keeps. Orthanc looks into a file for every
# main tag that a resource lacks.
_LONG_VRS = frozenset({"LT", "ST", "UC", "UR", "UT"})


Changed = Callable[[Caller, Identifier], Identifier]


def as_it_is(caller: Caller, asked: Identifier) -> Identifier:
    """Where nobody changes queries."""
    return asked


class Finds:
    """The queries of one process; its methods may run in several threads at once."""

    def __init__(
        self,
        finder: Finder,
        pages: Pages,
        dictionary: Dictionary,
        character_set: Callable[[], str],
        options: QueryOptions,
        changed: Changed = as_it_is,
    ) -> None:
        """`character_set` gives that of queries which name none and of all answers. What `changed`
        makes of an identifier is asked in its place."""
        self._finder = finder
        self._pages = pages
        self._dictionary = dictionary
        self._character_set = character_set
        self._options = options
        self._changed = changed

    @property
    def title(self) -> str:
        """The application entity that answers."""
        return self._options.title

    def answers(
        self, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        """The data sets of the answers, encoded as the identifier is, some at a time: nothing is
        held of the index between two parts, and what has not been asked for has not been read. A
        part may be empty.

        Raises BadFileFormat for an identifier that cannot be read, BadRequest, ParameterOutOfRange
        and OrthancError 1012 for what cannot be searched.
        """
        character_set = self._character_set()
        asked = read_identifier(identifier, transfer_syntax, self._dictionary, character_set)
        self._log(asked)
        asked = self._changed(caller, asked)
        query = self._query(asked)
        wanted = [tag for tag in asked.elements if _is_attribute(tag) and tag not in _ANSWERED]
        show = self._show(query, wanted)
        encoder = AnswerEncoder(
            wanted,
            self._fixed(asked, character_set),
            SYNTAXES[transfer_syntax],
            character_set,
            self._dictionary,
        )
        for page in self._pages.pages(caller, query, show, self._together(query.level, wanted)):
            yield from _portions(map(encoder.encode, page))

    def _together(self, level: Level, wanted: Sequence[int]) -> int:
        """How many answers may be in memory: one where a file is asked for a value of any size."""
        tags = self._finder.tags
        if any(
            self._dictionary.vr(tag) in _UNLIMITED_VRS
            and tags.locate(tag, level).place in _IN_FILES
            for tag in wanted
        ):
            return 1
        return max(1, min(READ_AT_ONCE, _VALUES // (len(wanted) or 1)))

    def _show(
        self, query: FindQuery, wanted: Sequence[int]
    ) -> Callable[[Facts, list[Resource]], list[dict[int, Value]]]:
        """What gives the values of the wanted tags. A tag of the level below that is searched for
        has a value that matches, of any child; one that is not, that of the first instance."""
        tags, files, level = self._finder.tags, self._finder.files, query.level
        below = {
            tag: matcher
            for tag, matcher in query.conditions
            if tags.locate(tag, level).place == Place.BELOW
        }
        requested = RequestedTags(
            [tag for tag in wanted if tag not in below],
            level,
            tags,
            self._finder.options,
            doubted={tag for tag in wanted if self._dictionary.vr(tag) in _LONG_VRS},
        )

        def show(facts: Facts, resources: list[Resource]) -> list[dict[int, Value]]:
            shown = requested.values(facts, files, resources, with_metadata=True)
            for tag, matcher in below.items():
                found = matching_children(facts.view, resources, Level(level + 1), tag, matcher)
                for resource, values in zip(resources, shown, strict=True):
                    values[tag] = found.get(resource.id)
            return shown

        return show

    def _query(self, asked: Identifier) -> FindQuery:
        level = asked.level
        query = FindQuery(level=level, below=Below.SOME_CHILD)
        for tag, element in asked.elements.items():
            if not _is_attribute(tag) or tag in _NOT_MATCHED or is_private_creator(tag):
                continue
            if element.Type == "Sequence":
                if element.Value:
                    logger.warning(
                        Category.DICOM,
                        f"the sequence {tag_text(tag)} of a query is returned, but not matched",
                    )
                continue
            condition = self._condition(tag, element.text) if element.text else None
            if condition is not None:
                query.conditions.append(condition)
        self._finder.limit(query, since_given=False)
        return query

    def _condition(self, tag: int, text: str) -> Condition | None:
        is_name = self._dictionary.vr(tag) == "PN"
        case_sensitive = self._options.case_sensitive_names or not is_name
        return self._finder.tags.condition(tag, text, case_sensitive)

    def _log(self, asked: Identifier) -> None:
        if logger.level(Category.DICOM) == Verbosity.DEFAULT:
            return
        logger.info(Category.DICOM, f"DICOM C-Find request at level: {asked.level.name.title()}")
        for line in lines(asked.elements, self._dictionary, self._options.hidden):
            logger.info(Category.DICOM, line)

    def _fixed(self, asked: Identifier, character_set: str) -> dict[int, str]:
        """What is the same in all answers. A query that asks for the title gets none, as with
        Orthanc."""
        fixed = {
            QUERY_RETRIEVE_LEVEL: asked.text(QUERY_RETRIEVE_LEVEL) or "",
            _RETRIEVE_TITLE: "" if _RETRIEVE_TITLE in asked.elements else self.title,
        }
        term = term_of(character_set)  # Windows-1251 has none
        return fixed if term is None else {_CHARACTER_SET: term, **fixed}


# What answers have without a look at the resource.
_ANSWERED = frozenset({_CHARACTER_SET, QUERY_RETRIEVE_LEVEL, _RETRIEVE_TITLE})


def _portions(answers: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Some of a page at a time: a query may ask for so much that few answers are large. The last
    portion may be empty."""
    portion: list[bytes] = []
    size = 0
    for answer in answers:
        portion.append(answer)
        size += len(answer)
        if size >= _PORTION:
            yield portion
            portion, size = [], 0
    yield portion


def _is_attribute(tag: int) -> bool:
    """Whether the tag belongs to what is searched: no group length, nothing of a file's or a
    message's own."""
    return tag >> 16 >= _FIRST_GROUP and tag & 0xFFFF != 0
