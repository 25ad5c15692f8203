"""The bodies that ask a modality: from JSON to what is wanted. Source: reference chapter 4,
sections 5.6 and 5.7, and how Orthanc 1.13 reads them."""

from collections.abc import Mapping
from typing import Any, Final

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import LEVEL_NAMES
from orthanc_fast.errors import (
    BadFileFormat,
    BadRequest,
    ParameterOutOfRange,
    UnknownDicomTag,
)
from orthanc_fast.model import Level
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.scu_fields import timeout_field
from orthanc_fast.services.scu.querying import Wanted

_NO_OBJECT: Final = "Must provide a JSON object"
_NO_TEXTS: Final = "Associative array of DICOM tags to strings expected in field: Query"


async def object_body(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises BadFileFormat."""
    try:
        return await request.json_object()
    except BadRequest as error:
        raise BadFileFormat(_NO_OBJECT) from error


async def optional_body(request: Request) -> dict[str, Any]:
    """The same; null is an empty object."""
    try:
        value = await request.json()
    except BadRequest as error:
        raise BadFileFormat(_NO_OBJECT) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadFileFormat(_NO_OBJECT)
    return value


def level_field(body: Mapping[str, Any]) -> Level:
    """Raises BadFileFormat where it is missing, ParameterOutOfRange for one that is unknown."""
    name = body.get("Level")
    if not isinstance(name, str):
        raise BadFileFormat("The JSON body must contain field Level")
    found = LEVEL_NAMES.get(name.lower())
    if found is None:
        raise ParameterOutOfRange(f"Invalid resource type '{name}'")
    return found


def wanted(body: Mapping[str, Any], dictionary: Dictionary) -> Wanted:
    """What a query asks for. Raises BadFileFormat for fields of the wrong type and unknown tags,
    and as `timeout_field`."""
    if "Query" in body and not isinstance(body["Query"], dict):
        raise BadFileFormat("The field Query must contain a JSON object")
    tags = _texts_by_tag(body, dictionary)
    normalize = body.get("Normalize", True)
    if not isinstance(normalize, bool):
        raise BadFileFormat("The field Normalize must contain a Boolean")
    local_aet = body.get("LocalAet", "")
    if not isinstance(local_aet, str):
        raise BadFileFormat("The field LocalAet must contain a string")
    return Wanted(
        tags=tags,
        normalize=normalize,
        local_aet=local_aet if "LocalAet" in body else None,
        timeout=timeout_field(body),
    )


def wanted_below(body: Mapping[str, Any], dictionary: Dictionary) -> Wanted:
    """The same below an answer, where the parent has decided about the rest. Raises as
    `wanted`."""
    return Wanted(tags=_texts_by_tag(body, dictionary), timeout=timeout_field(body))


def _texts_by_tag(body: Mapping[str, Any], dictionary: Dictionary) -> dict[int, str]:
    query = body.get("Query", {})
    if not isinstance(query, dict) or not all(isinstance(text, str) for text in query.values()):
        raise BadFileFormat(_NO_TEXTS)
    try:
        return by_tag(query, dictionary)
    except UnknownDicomTag as error:
        raise BadFileFormat(f"{_NO_TEXTS}: there is no tag {error.details}") from error


def by_tag(query: Mapping[str, Any], dictionary: Dictionary) -> dict[int, Any]:
    """The members of a JSON object by tag: of two names of the same tag the last one in the order
    of the alphabet counts. Raises UnknownDicomTag."""
    return {dictionary.parse(name): query[name] for name in sorted(query)}
