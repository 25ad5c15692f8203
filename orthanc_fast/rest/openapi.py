"""The description of the REST API as OpenAPI 3.1, made of the routes as they are registered.

Paths, methods and texts are those of the router; arguments, bodies and answers are what each route
says about itself: see `router.Route`. Source: the OpenAPI Specification 3.1.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from orthanc_fast import __version__
from orthanc_fast.config import Settings
from orthanc_fast.rest.router import METHODS, ONE, REST, Route

REFERENCES: Final = "#/components/schemas/{name}"

# What the variable component behind each of these stands for; `id` everywhere else.
_VARIABLES: Final = {
    "attachments": "name",
    "frames": "frame",
    "labels": "label",
    "metadata": "name",
    "modalities": "name",
    "plugins": "name",
}
_TEXTS: Final = {
    "attachments": "Name or number of the attachment",
    "frames": "Number of the frame, from 0",
    "labels": "Label: letters, digits, - and _",
    "metadata": "Name or number of the metadata",
    "modalities": "Symbolic name of the modality",
    "plugins": "Name of the plugin",
}
_ID_TEXT: Final = "Identifier of the resource: five groups of eight hexadecimal digits"
_REST_TEXT: Final = "The rest of the path; may have several components"

# Those of WebDAV are none of OpenAPI's.
_METHODS: Final = frozenset({*METHODS, "OPTIONS"})

# Docstrings of handlers often begin with their route, which the description shows anyway.
_OWN_ROUTE = re.compile(r"^(GET|POST|PUT|DELETE) [/.]\S*?(: | )(?=\S)")

_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "HttpError": {"type": "string"},
        "HttpStatus": {"type": "integer"},
        "Message": {"type": "string"},
        "Details": {"type": "string"},
        "Method": {"type": "string"},
        "OrthancError": {"type": "string"},
        "OrthancStatus": {"type": "integer", "description": "Orthanc's number of the error"},
        "Uri": {"type": "string"},
    },
}
_FAILURE: Final[dict[str, Any]] = {
    "description": "The request failed. The body is JSON, or empty where Orthanc leaves it so.",
    "content": {"text/plain": {"schema": {"$ref": REFERENCES.format(name="Error")}}},
}


def openapi(routes: Iterable[Route], settings: Settings, server: str) -> dict[str, Any]:
    """The whole document; `server` is the address of the server."""
    routes = [route for route in routes if route.method in _METHODS]
    routes.sort(key=lambda route: route.path)
    structures = [kind for route in routes for kind in (route.body, route.answer) if _is_type(kind)]
    schemas, components = msgspec.json.schema_components(structures, ref_template=REFERENCES)
    described = dict(zip(map(id, structures), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path, variables = _variables(route.path)
        operation = _operation(route, path, variables, described)
        paths.setdefault(path, {})[route.method.lower()] = operation
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "orthanc_fast",
            "version": __version__,
            "description": "The REST API of this server, as it is configured.",
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {"schemas": {**components, "Error": _ERROR}},
    }
    if settings.authentication_enabled:
        document["components"]["securitySchemes"] = {"basic": {"type": "http", "scheme": "basic"}}
        document["security"] = [{"basic": []}]
    return document


def _is_type(kind: Any) -> bool:
    return kind is not None and not isinstance(kind, str)


def _variables(path: str) -> tuple[str, list[dict[str, Any]]]:
    """The path with named variables, and their descriptions."""
    parts: list[str] = []
    found: list[dict[str, Any]] = []
    for part in path.split("/"):
        if part not in (ONE, REST):
            parts.append(part)
            continue
        before = parts[-1] if parts else ""
        name = _VARIABLES.get(before, "id") if part == ONE else "path"
        text = _TEXTS.get(before, _ID_TEXT) if part == ONE else _REST_TEXT
        if any(each["name"] == name for each in found):
            name = f"{name}{len(found) + 1}"
        parts.append(f"{{{name}}}")
        schema = {"type": "string", "minLength": 1}
        found.append(
            {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
        )
    return "/".join(parts), found


def _operation(
    route: Route, path: str, variables: list[dict[str, Any]], described: dict[int, Any]
) -> dict[str, Any]:
    text = _OWN_ROUTE.sub("", " ".join((route.handler.__doc__ or "").split()))
    text = text[:1].upper() + text[1:]
    family = path.split("/")[1]
    names = [part for part in re.split(r"[^A-Za-z0-9]+", path) if part]
    operation: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *names]),
        "tags": [family if "{" not in family and family else "server"],
        "summary": re.split(r"(?<=[^.])[.;](?: |$)", text)[0],
        "description": text,
    }
    arguments = [
        {"name": name, "in": "query", "schema": {"type": "string"}, "allowEmptyValue": True}
        for name in route.arguments.split()
    ]
    if variables or arguments:
        operation["parameters"] = [*variables, *arguments]
    if route.body is not None:
        content = _content(route.body, described)
        operation["requestBody"] = {"required": True, "content": content}
    success: dict[str, Any] = {"description": "Success"}
    if route.answer is not None:
        success["content"] = _content(route.answer, described)
    operation["responses"] = {"200": success, "default": _FAILURE}
    return operation


def _content(kind: Any, described: dict[int, Any]) -> dict[str, Any]:
    """A media type is given as it is; a type is JSON."""
    if isinstance(kind, str):
        text = kind.startswith("text/") or kind.endswith("javascript")
        return {kind: {"schema": {"type": "string"} if text else {}}}
    return {"application/json": {"schema": described[id(kind)]}}
