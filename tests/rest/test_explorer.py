"""The front page: what it is made of, and one visit with a real browser."""

import re
import tomllib
from pathlib import Path

import httpx
import pytest
from support.server import OurServer

PAGES = ("explorer.html", "api.html")
STATIC = ("api.css", "api.js", "images/favicon.ico")


@pytest.mark.parametrize("name", [*PAGES, *STATIC])
def test_files(our_server: OurServer, name: str) -> None:
    answer = httpx.get(f"{our_server.url}/app/{name}")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", PAGES)
def test_pages_ask_only_this_server_by_relative_addresses(our_server: OurServer, name: str) -> None:
    """So that they work below any prefix, without any other host."""
    text = httpx.get(f"{our_server.url}/app/{name}").text
    references = re.findall(r'(?:href|src)="([^"]+)"', text)
    assert references
    for reference in references:
        assert not re.match(r"/|\w+:", reference), reference
        if not reference.startswith("#"):
            path = reference.partition("#")[0]
            assert httpx.get(f"{our_server.url}/app/{path}").status_code == 200, reference


def test_the_wheel_holds_every_file() -> None:
    """setuptools is told them by patterns; an editable installation would not miss any."""
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())
    room = root / "orthanc_fast" / "rest"
    patterns = project["tool"]["setuptools"]["package-data"]["orthanc_fast.rest"]
    packed = {path for pattern in patterns for path in room.glob(pattern) if path.is_file()}
    assert packed == {path for path in (room / "static").rglob("*") if path.is_file()}
    pages = room / "static" / "app"
    names = {str(path.relative_to(pages)) for path in packed if path.is_relative_to(pages)}
    assert {*PAGES, *STATIC} <= names


def test_what_the_page_is_made_of_is_kept_by_browsers(our_server: OurServer) -> None:
    """Its names change with its content; those of the pages do not, so they are asked for again."""
    page = httpx.get(f"{our_server.url}/app/explorer.html")
    assert page.headers["cache-control"] == "no-cache"
    assets = re.findall(r'(?:href|src)="(assets/[^"]+)"', page.text)
    assert len(assets) >= 2
    for name in assets:
        answer = httpx.get(f"{our_server.url}/app/{name}")
        assert "immutable" in answer.headers["cache-control"]
    for name in ("assets", "assets/", "assets/none.js"):
        assert httpx.get(f"{our_server.url}/app/{name}").status_code == 404


def test_scripts_make_no_markup_of_texts(our_server: OurServer) -> None:
    """Values of DICOM files are only ever text nodes."""
    text = httpx.get(f"{our_server.url}/app/api.js").text
    for danger in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert danger not in text
