"""The resources that bodies name which send them to another server: in any of four shapes. Source:
reference chapter 4, section 5.5."""

from typing import Any

from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.errors import BadFileFormat, BadRequest
from orthanc_fast.rest.request import Request


async def sent_resources(request: Request) -> tuple[dict[str, Any], list[str]]:
    """The fields of the body, and the identifiers of the resources: an object with `Resources`, or
    without fields a list, a JSON string, or the bare identifier. Raises BadFileFormat, with
    Orthanc's words."""
    try:
        value = await request.json()
    except BadRequest as error:
        value = (await request.body()).decode("utf-8", "replace").strip()
        if from_text(value) is None:
            raise BadFileFormat("Must provide a JSON value") from error
    if isinstance(value, str):
        return {}, [value]
    if isinstance(value, list):
        return {}, _identifiers(value)
    if not isinstance(value, dict):
        raise BadFileFormat("Must provide a JSON object, or a JSON array of strings")
    if "Resources" not in value:
        raise BadFileFormat('Missing field in JSON: "Resources"')
    if not isinstance(value["Resources"], list):
        raise BadFileFormat('JSON field "Resources" must contain an array')
    return value, _identifiers(value["Resources"])


def _identifiers(value: list[Any]) -> list[str]:
    if not all(isinstance(each, str) for each in value):
        raise BadFileFormat("Resources to be exported must be specified as a JSON array of strings")
    return value
