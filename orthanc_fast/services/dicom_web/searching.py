"""Searches of DICOMweb: from a query string to encoded answers, part by part. Source: PS3.18
section 10.6; reference chapter 5, section 2."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from orthanc_fast.model import SHA1, Caller, Level
from orthanc_fast.services.dicom_web.answer_encoding import AnswerEncoders
from orthanc_fast.services.dicom_web.answers import AT_ONCE, Answers
from orthanc_fast.services.dicom_web.query import Search, SearchReader
from orthanc_fast.services.find.finder import Finder, Presence
from orthanc_fast.services.store.reads import Reads

Form = Literal["json", "xml"]

# Answers of the first part, where each may take long.
_FEW: Final = 5
_MORE: Final = (
    "The number of results exceeded the maximum supported by the server. "
    "Additional results can be requested."
)


class Results(NamedTuple):
    """`total` is how many there are on all pages, None where that is not known without looking
    further; `parts` are encoded answers, some at a time; what `is_long` is better made by a
    thread, and may take so long that what is known should be sent before, if `is_endless`."""

    total: int | None
    warnings: list[str]
    parts: Iterator[list[bytes]]
    is_long: bool
    is_endless: bool


class Searching:
    """The searches of one process; its methods may run in any thread."""

    def __init__(self, reads: Reads, finder: Finder, case_sensitive: bool) -> None:
        self._read = reads
        self._finder = finder
        self._reader = SearchReader(finder.tags, case_sensitive)
        self._encoders = AnswerEncoders(finder.tags.dictionary)

    def read(
        self, level: Level, uids: Sequence[str], parameters: Iterable[tuple[str, str]]
    ) -> Search:
        """As `SearchReader.read`."""
        return self._reader.read(level, uids, parameters)

    async def results(
        self,
        caller: Caller,
        search: Search,
        base: str,
        form: Form,
        is_over: Callable[[], bool],
        presence: Presence,
    ) -> Results:
        """The answers to a search. `base` is the address of DICOMweb, with a slash at its end; an
        endless search ends once `is_over`, others when `presence` says so. Raises what the search
        itself raises."""
        query, warnings = search.query, list(search.warnings)
        bound = self._bound(search)
        if bound:
            query.limit = bound + 1  # tells whether there are more
        answers = Answers(self._read, self._finder, search, base)
        make = self._encoders.json if form == "json" else self._encoders.xml
        encode = make(search.wanted)
        wanted = None
        is_endless = self._finder.is_unbounded(caller, query)
        if is_endless:
            total, pieces = await asyncio.to_thread(self._finder.unbounded, caller, query, is_over)
            is_long, wanted = True, _FEW
        else:
            found = await self._finder.found(caller, query, presence)
            total, packed = found.total, found.packed
            if bound and len(packed) > bound * SHA1:
                packed = packed[: bound * SHA1]
                warnings.append(_MORE)
            pieces = iter((packed,))
            is_long = answers.reads_files or len(packed) > AT_ONCE * SHA1
        parts = (list(map(encode, part)) for part in answers.parts(caller, pieces, wanted))
        return Results(total, warnings, parts, is_long, is_endless)

    def _bound(self, search: Search) -> int:
        """The configuration's limit, where it is below the client's; else 0."""
        options, query = self._finder.options, search.query
        of_instances = query.level == Level.INSTANCE
        bound = options.limit_instances if of_instances else options.limit_results
        return bound if bound and not 0 < query.limit <= bound else 0
