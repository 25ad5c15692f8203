"""Scripts that filter requests are asked about those of WebDAV too, as in Orthanc 1.13: under the
name of GET where something is read, of PUT where something is written."""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from support.reference_server import ReferenceServer
from support.scripted import PLUGIN
from support.server import OurServer
from support.webdav import ask

IN_LUA = """
function IncomingHttpRequestFilter(method, uri, ip, user, headers)
  local file = io.open('NOTES', 'a')
  file:write(method, ' ', uri, '\\n')
  file:close()
  return headers['x-enter'] == 'yes'
end
"""
IN_PYTHON = """
import orthanc

def note(uri, **request):
    with open('NOTES', 'a') as file:
        print(request['method'], uri, sorted(request), request.get('get'), file=file)
    return request['headers'].get('x-enter') == 'yes'

orthanc.RegisterIncomingHttpRequestFilter(note)
"""
OPTIONS = {"lua": "LuaScripts", "python": "PythonScript"}
METHODS = (
    *("PROPFIND", "GET", "HEAD", "OPTIONS", "LOCK", "PUT", "MKCOL", "PROPPATCH", "UNLOCK"),
    *("DELETE", "POST", "PATCH", "MOVE", "COPY", "REPORT"),
)
PATHS = ("/uploads/new", "/by-patients", "?a=b")


class Filtered(NamedTuple):
    client: httpx.Client
    notes: Path


def started(folder: Path, language: str) -> Generator[Filtered]:
    for kind in (OurServer, ReferenceServer):
        own = folder / kind.__name__
        own.mkdir()
        script = own / ("script.py" if language == "python" else "script.lua")
        text = IN_PYTHON if language == "python" else IN_LUA
        script.write_text(text.replace("NOTES", str(own / "notes")))
        value: Any = str(script) if language == "python" else [str(script)]
        options = {OPTIONS[language]: value, "WebDavDeleteAllowed": True}
        plugins = (PLUGIN,) if language == "python" else ()
        server = (
            ReferenceServer(own / "server", options, plugins)
            if kind is ReferenceServer
            else OurServer(own / "server", options)
        )
        with server, httpx.Client(base_url=server.url, timeout=60) as client:
            yield Filtered(client, own / "notes")


@pytest.mark.parametrize("language", OPTIONS)
def test_requests_of_webdav(needs_reference: None, tmp_path: Path, language: str) -> None:
    found = []
    with contextlib.closing(started(tmp_path, language)) as servers:
        for each in servers:
            each.notes.write_text("")  # without what asked whether the server is there
            answers = {}
            for path in PATHS:
                for method in METHODS:
                    for enter in ("yes", "no"):
                        headers = {"Depth": "1", "X-Enter": enter}
                        body = b"" if method in ("PUT", "POST", "PATCH") else None
                        status = ask(each.client, method, path, body, headers).status_code
                        answers[method, path, enter] = status == 403 if enter == "no" else 0
            found.append((answers, each.notes.read_text().splitlines()))
    assert found[0] == found[1]
    refused = [method for (method, _, enter), out in found[0][0].items() if enter == "no" and out]
    assert set(refused) == set(METHODS) - {"PATCH", "MOVE", "COPY", "REPORT"}
