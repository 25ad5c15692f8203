"""What bodies that send resources to another server have in common: the resources, in any of four
shapes, and the log of what is sent. Source: reference chapter 4, section 5.5."""

from typing import Any

from orthanc_fast.errors import BadFileFormat, BadRequest
from orthanc_fast.rest.request import Request


async def sent_resources(request: Request) -> tuple[dict[str, Any], list[str]]:
    """The fields of the body, and the identifiers of the resources: an object with `Resources`, or
    without fields a list, a JSON string, or the bare identifier. Raises BadFileFormat."""
    try:
        value = await request.json()
    except BadRequest:
        value = (await request.body()).decode("utf-8", "replace").strip()
    if isinstance(value, str):
        return {}, [value]
    if isinstance(value, list):
        return {}, _identifiers(value)
    if not isinstance(value, dict) or "Resources" not in value:
        raise BadFileFormat(
            "The body must be the identifier of a resource, a list of them, or an object with them "
            "in the field 'Resources'"
        )
    return value, _identifiers(value["Resources"])


def _identifiers(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadFileFormat("The resources must be a list of their identifiers")
    return value
