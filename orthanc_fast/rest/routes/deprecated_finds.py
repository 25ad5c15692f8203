"""Queries of modalities as they were before /queries. Source: reference chapter 4, section 5.7."""

from collections.abc import Mapping
from typing import Any, Final

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadRequest, InternalError
from orthanc_fast.model import Level
from orthanc_fast.rest.asking import answered
from orthanc_fast.rest.query_body import by_tag
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, empty_response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right
from orthanc_fast.services.scu.normalisation import (
    ACCESSION_NUMBER,
    PATIENT_ID,
    SERIES_UID,
    STUDY_UID,
)

Texts = dict[int, str]

_SHORTEST: Final = 3  # characters of a key that shall not find everything

BAD_REQUEST: Final = empty_response(400)


def add_routes(router: Router, settings: Settings) -> None:
    for name, handler in (
        ("find", post_find),
        ("find-patient", post_find_patient),
        ("find-study", post_find_study),
        ("find-series", post_find_series),
        ("find-instance", post_find_instance),
    ):
        router.add(
            "POST",
            f"/modalities/{{}}/{name}",
            handler,
            body=dict[str, str],
            answer=list[dict[str, Any]],
            needs=Right.UPLOAD,
        )


async def post_find(request: Request) -> Response:
    """Deprecated: asks for patients with their studies and their series."""
    query = await _query(request)
    if query is None:
        return BAD_REQUEST
    caller, modality, ask = request.caller, request.params[0], request.services.template_find.tree
    found = await answered(request, lambda stop: ask(caller, modality, query, stop))
    return json_response(found)


async def post_find_patient(request: Request) -> Response:
    """Deprecated: asks for patients."""
    return await _found(request, Level.PATIENT, ())


async def post_find_study(request: Request) -> Response:
    """Deprecated: asks for studies of a patient or with an accession number."""
    return await _found(request, Level.STUDY, ())


async def post_find_series(request: Request) -> Response:
    """Deprecated: asks for the series of a study."""
    return await _found(request, Level.SERIES, (STUDY_UID,))


async def post_find_instance(request: Request) -> Response:
    """Deprecated: asks for the instances of a series."""
    return await _found(request, Level.INSTANCE, (STUDY_UID, SERIES_UID))


async def _found(request: Request, level: Level, keys: tuple[int, ...]) -> Response:
    query = await _query(request)
    if query is None or not all(_is_given(query, key) for key in keys):
        return BAD_REQUEST
    if level > Level.PATIENT and not (
        _is_given(query, PATIENT_ID) or _is_given(query, ACCESSION_NUMBER)
    ):
        return BAD_REQUEST
    caller, modality, ask = request.caller, request.params[0], request.services.template_find.find
    found = await answered(request, lambda stop: ask(caller, modality, level, query, stop))
    return json_response(found)


async def _query(request: Request) -> Texts | None:
    """None for what is no JSON object. Raises UnknownDicomTag, InternalError for values that are no
    texts."""
    try:
        body = await request.json_object()
    except BadRequest:
        return None
    tags = by_tag(body, request.services.dictionary)
    return {tag: _text(value) for tag, value in tags.items()}


def _text(value: Any) -> str:
    """Numbers and truth values are taken for texts."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise InternalError("The values of a query must be texts")


def _is_given(query: Mapping[int, str], key: int) -> bool:
    return len(query.get(key, "")) >= _SHORTEST
