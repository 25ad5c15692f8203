"""From what a client wants of a modality to the job that retrieves it. Source: reference chapter 4,
section 5.6."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.scu.normalisation import LEVELS, QUERY_RETRIEVE_LEVEL, SOP_INSTANCE_UID
from orthanc_fast.services.scu.queries import Answer, Done, Queries
from orthanc_fast.services.scu.retrieve_orders import (
    MEDIA_STORAGE_SOP_INSTANCE_UID,
    SHOWN,
    RetrieveOrder,
    Wanted,
)

C_MOVE: Final = "C-MOVE"
C_GET: Final = "C-GET"
_BY_SYSTEM: Final = "SystemDefault"

_MODALITY: Final = 0x00080060
_MODALITIES_IN_STUDY: Final = 0x00080061
_SOP_CLASSES_IN_STUDY: Final = 0x00080062


class RetrieveOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to retrieve, and how to tell of it; None is what the caller leaves open."""

    description: str
    form: Format = "short"
    method: str | None = None
    target: str | None = None  # of a C-MOVE
    local_aet: str | None = None
    timeout: int | None = None
    permissive: bool = False
    priority: int = 0
    user_data: msgspec.Raw | None = None


class Retrieving:
    """Makes the jobs."""

    def __init__(
        self,
        settings: Settings,
        modalities: ModalityRegistry,
        queries: Queries,
        dictionary: Dictionary,
    ) -> None:
        self._aet = settings.dicom_aet
        self._method = settings.dicom_default_retrieve_method
        self._modalities = modalities
        self._queries = queries
        self._dictionary = dictionary

    def all_answers(self, caller: Caller, done: Done, options: RetrieveOptions) -> Submission:
        """Retrieves all that a query has found. Raises as `answers`, and UnknownResource if the
        query is forgotten meanwhile."""
        pages = self._queries.answers(caller, done)
        return self.answers(caller, done, (each for page in pages for each in page), options)

    def answers(
        self, caller: Caller, done: Done, answers: Iterable[Answer], options: RetrieveOptions
    ) -> Submission:
        """Retrieves some of what a query has found, from where it was found, with the time-out of
        the query if there is no other. Raises InexistentItem where the modality is gone,
        ParameterOutOfRange for an unknown method."""
        modality = self._modalities.get(caller, done.query.modality)
        local_aet = modality.local_aet or self._aet
        timeout = done.query.timeout if options.timeout is None else options.timeout
        options = msgspec.structs.replace(options, local_aet=local_aet, timeout=timeout)
        wanted = [_answered(done.query.level, each) for each in answers]
        return self._submission(modality, wanted, options, local_aet)

    def resources(
        self,
        caller: Caller,
        name: str,
        level: Level,
        resources: Sequence[dict[int, str]],
        options: RetrieveOptions,
    ) -> Submission:
        """Retrieves what the client names by tags. Raises InexistentItem for an unknown
        modality."""
        modality = self._modalities.get(caller, name)
        wanted = [_named(level, each) for each in resources]
        return self._submission(modality, wanted, options, self._aet)

    def _submission(
        self,
        modality: Modality,
        wanted: Sequence[Wanted],
        options: RetrieveOptions,
        default_target: str,
    ) -> Submission:
        local_aet = options.local_aet
        if local_aet is None:
            local_aet = modality.local_aet or self._aet
        target = default_target if options.target is None else options.target
        order = RetrieveOrder(
            modality=modality,
            local_aet=local_aet,
            target=target if self._method_of(modality, options) == C_MOVE else None,
            timeout=options.timeout,
            permissive=options.permissive,
            wanted=tuple(wanted),
        )
        content = order.content(options.description, options.form, self._dictionary)
        return order.submission(content, options.priority, options.user_data)

    def _method_of(self, modality: Modality, options: RetrieveOptions) -> str:
        method = _BY_SYSTEM if options.method is None else options.method
        if method == _BY_SYSTEM:
            method = modality.retrieve_method
        if method == _BY_SYSTEM:
            method = self._method
        if method == _BY_SYSTEM:
            method = C_MOVE
        if method not in (C_MOVE, C_GET):
            raise ParameterOutOfRange(
                f'RetrieveMethod can be "{C_MOVE}", "{C_GET}" or "{_BY_SYSTEM}": {method}'
            )
        return method


def _named(level: Level, tags: dict[int, str]) -> Wanted:
    found = {**tags, QUERY_RETRIEVE_LEVEL: LEVELS[level]}
    if SOP_INSTANCE_UID in tags:  # as the header of a file has it, as Orthanc shows it
        found[MEDIA_STORAGE_SOP_INSTANCE_UID] = tags[SOP_INSTANCE_UID]
    return Wanted(level=level, tags=dict(sorted(found.items())), is_found=False)


def _answered(level: Level, answer: Answer) -> Wanted:
    found = {tag: value for tag, value in answer.items() if tag in SHOWN and value is not None}
    found[QUERY_RETRIEVE_LEVEL] = LEVELS[level]
    return Wanted(
        level=level,
        tags=dict(sorted(found.items())),
        is_found=True,
        sop_classes=_values(answer, _SOP_CLASSES_IN_STUDY),
        modalities=_values(answer, _MODALITY) or _values(answer, _MODALITIES_IN_STUDY),
    )


def _values(answer: Answer, tag: int) -> tuple[str, ...]:
    text = answer.get(tag) or ""
    return tuple(each.strip() for each in text.split("\\") if each.strip())
