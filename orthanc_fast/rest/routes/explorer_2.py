"""Orthanc Explorer 2 below its path, where the option `OrthancExplorer2` names the folder of its
built files. Source: reference chapter 6, section 1."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.config_viewers import Explorer2
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    NOT_FOUND,
    OCTETS,
    HeaderField,
    Response,
    json_response,
)
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rest.web_application import CSS, HTML, KINDS, sent, sent_content, to_folder
from orthanc_fast.rights import NOTHING, Right
from orthanc_fast.services.viewers.application import PAGE, WebFile
from orthanc_fast.services.viewers.explorer_2 import (
    Explorer2Configuration,
    Explorer2Files,
    PreLogin,
)

VERSION: Final = "1.14.0"  # of Orthanc's plugin that this behaves like
STYLE: Final = "customizable/custom.css"
LOGO: Final = "customizable/custom-logo"
ICON: Final = "favicon.ico"
# Of no use to who sees some studies only: he is refused whatever needs them.
_OF_ALL_STUDIES: Final = Right.UPLOAD | Right.MODIFY
# By other names than this server's: what the pages look for.
_ALIASES: Final = {"worklists": "orthanc-worklists"}


def add_routes(router: Router, settings: Settings) -> None:
    options = settings.explorer_2
    if options is None:
        return
    router.add(
        "GET",
        f"{options.base}app/{{*}}",
        get_file,
        answer="text/html",
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        f"{options.base}api/configuration",
        _configuration_of(router),
        answer=Explorer2Configuration,
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        f"{options.base}api/pre-login-configuration",
        get_pre_login,
        answer=PreLogin,
        needs=NOTHING,
        limited=True,
    )
    router.add(
        "GET",
        "/plugins/orthanc-explorer-2",
        get_plugin,
        answer=dict[str, Any],
        needs=Right.BROWSE,
        limited=True,
    )


async def get_plugin(request: Request) -> Response:
    """As Orthanc describes its plugin."""
    return json_response(
        {
            "Description": "Orthanc Explorer 2, of this site's own copy.",
            "ExtendsOrthancExplorer": False,
            "ID": "orthanc-explorer-2",
            "RootUri": f"..{_options(request).base}app/",
            "Version": VERSION,
        }
    )


async def get_file(request: Request) -> Response:
    """A file of the application, or its page for the addresses that it shows in the browser."""
    options = _options(request)
    if (there := to_folder(request)) is not None:
        return there
    files = await _files(request)
    name = "/".join(request.params) or PAGE
    if name == STYLE:
        content = await asyncio.to_thread(files.style)
        return await sent_content(request, content, CSS, hashlib.sha256(content).hexdigest()[:32])
    own = {LOGO: options.logo, ICON: options.icon}.get(name)
    if own is not None:
        return await _sent_own(request, own)
    found = await asyncio.to_thread(files.application.file, name)
    if found is None:
        return NOT_FOUND
    if found.suffix == ".html":
        return await _sent_page(request, files, found)
    return await sent(request, found)


async def _sent_page(request: Request, files: Explorer2Files, file: WebFile) -> Response:
    content = await asyncio.to_thread(files.page, file.path)
    return await sent_content(request, content, HTML, hashlib.sha256(content).hexdigest()[:32])


async def _sent_own(request: Request, path: Path) -> Response:
    try:
        content = await asyncio.to_thread(path.read_bytes)
    except OSError:
        return NOT_FOUND
    kind: HeaderField = KINDS.get(path.suffix.lower(), OCTETS)
    return await sent_content(request, content, kind, hashlib.sha256(content).hexdigest()[:32])


async def get_pre_login(request: Request) -> Response:
    """What the pages ask for before anybody has logged in."""
    return json_response((await _files(request)).pre_login())


def _configuration_of(router: Router) -> Handler:
    async def get_configuration(request: Request) -> Response:
        """What the pages ask for when they start; what the user may not do they do not offer."""
        settings, who = request.services.settings, request.who
        plugins = await _plugins(router, request)
        configuration = (await _files(request)).configuration(
            plugins,
            rights=who.rights & ~_OF_ALL_STUDIES if who.is_limited else who.rights,
            read_only=settings.read_only,
            ohif=None if settings.ohif is None else settings.ohif.base,
        )
        return json_response(configuration)

    return get_configuration


async def _plugins(router: Router, request: Request) -> dict[str, dict[str, Any]]:
    """What each plugin says of itself, with its addresses as the pages see them."""
    up = "../" * (_options(request).base.count("/") - 1)
    section = request.services.settings.raw.get("DicomWeb")
    asked_for = isinstance(section, dict) and section.get("Enable") is True
    found = {}
    for name in await _described(router, request, None):
        described = await _described(router, request, name)
        if not described:
            continue
        if "RootUri" in described:
            described["RootUri"] = up + described["RootUri"]
        # As with Orthanc's plugin, its pages offer DICOMweb only where the configuration names it.
        described["Enabled"] = name != "dicom-web" or asked_for
        found[name] = described
        if name in _ALIASES:
            found[_ALIASES[name]] = described
    return found


async def _described(router: Router, request: Request, name: str | None) -> Any:
    """The answer of /plugins, or of /plugins/{name}; nothing where that is an error."""
    segments = ["plugins"] if name is None else ["plugins", name]
    route = router.find(segments, "GET")
    assert route is not None
    reply = route[0]["GET"](request)
    answer = reply if isinstance(reply, Response) else await reply
    kind = answer.kind[1] if answer.kind else b""
    if answer.status != 200 or not kind.startswith(b"application/json"):
        return None
    return msgspec.json.decode(answer.body)


async def _files(request: Request) -> Explorer2Files:
    applications = request.services.applications
    return await asyncio.to_thread(lambda: applications.explorer_2)


def _options(request: Request) -> Explorer2:
    options = request.services.settings.explorer_2
    assert options is not None
    return options
