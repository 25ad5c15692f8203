"""What this server offers: the Capabilities Description, and the services that it lacks.

Source: PS3.18, section 8.9; reference chapter 5, section 14, items 21 and 22.
"""

import re
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from orthanc_fast.config import Settings
from orthanc_fast.errors import NotImplementedYet, UnknownResource
from orthanc_fast.media_types import MediaRange, accepted, chosen
from orthanc_fast.rest.dicom_web.addresses import base_of
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import PLAIN_JSON, Response, encode_json
from orthanc_fast.rest.router import METHODS, ONE, REST, Route, Router
from orthanc_fast.rights import Right

_WADL: Final = "application/vnd.sun.wadl+xml"
_WADL_KIND: Final = (b"content-type", _WADL.encode())
_EXACTLY: Final = {_WADL: True, "application/json": False, "application/dicom+json": False}
_ALSO: Final = ("*/*", "application/*", "application/xml", "text/xml")
_ANY: Final = _EXACTLY | dict.fromkeys(_ALSO, True)
# The variable component behind each literal one.
_NAMES: Final = {
    "studies": "study",
    "series": "series",
    "instances": "instance",
    "frames": "frames",
    "bulk": "path",
    "servers": "server",
}


def add_routes(router: Router, settings: Settings) -> None:
    options = settings.dicom_web
    if not options.enable:
        return

    async def options_root(request: Request) -> Response:
        """What DICOMweb offers here: its paths and their methods, as WADL or JSON."""
        is_wadl = chosen(accepted(request.header(b"accept")), _wanted, f"{_WADL}, application/json")
        answer = _description(request, router, is_wadl)
        answer.headers = ((b"allow", b"GET,HEAD,OPTIONS"),)
        return answer

    async def get_root(request: Request) -> Response:
        """The same for clients that name one of the two types; for all others, as browsers are,
        there is nothing here."""
        for each in accepted(request.header(b"accept")):
            if each.type in _EXACTLY:
                return _description(request, router, _EXACTLY[each.type])
        raise UnknownResource

    router.add(
        "OPTIONS", options.root, options_root, answer=_WADL, needs=Right.BROWSE, limited=True
    )
    router.add(
        "GET", options.root, get_root, answer=_WADL, only=True, needs=Right.BROWSE, limited=True
    )
    for method in METHODS:
        router.add(
            method, f"{options.root}workitems/{REST}", left_out, needs=Right.BROWSE, limited=True
        )


async def left_out(request: Request) -> Response:
    """UPS-RS, the worklist service of PS3.18, is left out: always 501."""
    raise NotImplementedYet(
        "UPS-RS (the worklist service of PS3.18, section 11) is not part of this server",
        http_status=501,
    )


def _wanted(each: MediaRange) -> bool | None:
    return _ANY.get(each.type)


def _description(request: Request, router: Router, is_wadl: bool) -> Response:
    options = request.services.settings.dicom_web
    base = base_of(request, options)
    resources: dict[str, list[Route]] = {}
    for route in router.routes:
        path = route.path.removeprefix(options.root)
        if path and path != route.path and route.handler is not left_out:
            resources.setdefault(_named(path), []).append(route)
    if is_wadl:
        return Response(_wadl(base, resources), _WADL_KIND)
    listed = [
        {"path": path, "methods": [_method(route) for route in resources[path]]}
        for path in sorted(resources)
    ]
    return Response(encode_json({"base": base, "resources": listed}), PLAIN_JSON)


def _named(path: str) -> str:
    """`studies/{study}` for `studies/{}`."""
    parts: list[str] = []
    for part in path.split("/"):
        before = parts[-1] if parts else ""
        parts.append(f"{{{_NAMES.get(before, 'id')}}}" if part in (ONE, REST) else part)
    return "/".join(parts)


def _method(route: Route) -> dict[str, str]:
    found = {"name": route.method, "description": _summary(route)}
    if isinstance(route.body, str):
        found["accepts"] = route.body
    if route.answer is not None:
        is_named = isinstance(route.answer, str)
        found["answers"] = route.answer if is_named else "application/json"
    return found


def _summary(route: Route) -> str:
    return " ".join((route.handler.__doc__ or "").split())


def _wadl(base: str, resources: dict[str, list[Route]]) -> bytes:
    """Web Application Description Language, as PS3.18 asks for it."""
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<application xmlns="http://wadl.dev.java.net/2009/02">',
        f"  <resources base={quoteattr(base)}>",
    ]
    for path in sorted(resources):
        lines.append(f"    <resource path={quoteattr(path)}>")
        lines += [
            f'      <param name="{name}" style="template" required="true" />'
            for name in re.findall(r"{(\w+)}", path)
        ]
        for route in resources[path]:
            lines += _wadl_method(_method(route))
        lines.append("    </resource>")
    return "\n".join([*lines, "  </resources>", "</application>", ""]).encode()


def _wadl_method(method: dict[str, str]) -> list[str]:
    lines = [f'      <method name="{method["name"]}">', f"        {_doc(method)}"]
    for part, key in (("request", "accepts"), ("response", "answers")):
        if key in method:
            kind = f"<representation mediaType={quoteattr(method[key])} />"
            lines.append(f"        <{part}>{kind}</{part}>")
    return [*lines, "      </method>"]


def _doc(method: dict[str, str]) -> str:
    return f"<doc>{escape(method['description'])}</doc>"
