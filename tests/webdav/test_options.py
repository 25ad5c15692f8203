"""What the options allow."""

from pathlib import Path

import httpx
import pytest
from support import webdav
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.webdav import ask, inside

from orthanc_fast.config import Settings
from orthanc_fast.rest.app import WEBDAV_METHODS
from orthanc_fast.rest.routes import build_router

CALLS = [
    *(("PROPFIND", "/uploads"), ("PROPFIND", "/by-uids"), ("OPTIONS", ""), ("PUT", "/uploads/x")),
    *(("MKCOL", "/uploads/y"), ("DELETE", "/uploads/x"), ("DELETE", "/by-uids/1.2.3.1")),
    *(("DELETE", "/by-patients"), ("DELETE", "/nope"), ("DELETE", ""), ("LOCK", "/uploads/x")),
    *(("GET", "/uploads"), ("GET", ""), ("POST", ""), ("HEAD", "/by-uids")),
]


@pytest.mark.parametrize(
    "configuration", [{}, {"WebDavUploadAllowed": False}, {"WebDavEnabled": False}]
)
def test_as_in_orthanc(
    configuration: dict[str, bool], needs_reference: None, tmp_path: Path
) -> None:
    servers = (
        OurServer(tmp_path / "ours", configuration),
        ReferenceServer(tmp_path / "theirs", configuration),
    )
    answers: list[list[int]] = []
    for server in servers:
        with server, httpx.Client(base_url=server.url, timeout=60) as client:
            client.post("/instances", content=webdav.instance((1, 1, 1))).raise_for_status()
            answers.append([])
            for method, path in CALLS:
                headers = {"Depth": "1"}
                body = b"" if method in ("PUT", "POST") else None
                answers[-1].append(ask(client, method, path, body, headers).status_code)
            if configuration.get("WebDavEnabled", True):
                assert ("/uploads" in inside(client, "")) != bool(configuration)
    differ = [
        (call, ours, theirs)
        for call, ours, theirs in zip(CALLS, *answers, strict=True)
        # Any path has OPTIONS here, and HEAD is that of GET: docs/deviations.md.
        if ours != theirs and call[0] not in ("OPTIONS", "HEAD")
    ]
    assert differ == []


def test_read_only(tmp_path: Path) -> None:
    configuration = {"ReadOnly": True, "WebDavDeleteAllowed": True}
    server = OurServer(tmp_path, configuration)
    with server, httpx.Client(base_url=server.url, timeout=60) as client:
        assert inside(client, "") == ["/by-dates", "/by-patients", "/by-studies", "/by-uids"]
        for method, path in CALLS:
            if method in ("PUT", "MKCOL", "DELETE"):
                assert ask(client, method, path, b"").status_code == 403, (method, path)


def test_pages_of_other_sites_change_nothing(our_server: OurServer) -> None:
    headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    with httpx.Client(base_url=our_server.url) as client:
        for method in ("PUT", "MKCOL", "DELETE", "PROPPATCH", "LOCK"):
            assert ask(client, method, "/uploads/evil", b"", headers).status_code == 403, method
        assert "/uploads/evil" not in inside(client, "/uploads")


def test_without_it_there_are_no_routes() -> None:
    router = build_router(Settings(webdav_enabled=False))
    assert not [route for route in router.routes if route.path.startswith("/webdav")]
    enabled = {route.method for route in build_router(Settings()).routes}
    assert enabled >= WEBDAV_METHODS
