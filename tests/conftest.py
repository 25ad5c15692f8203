"""Fixtures shared by all tests, and the check that nothing needed is missing."""

import logging
import os
import shutil
import sys
from collections.abc import Iterator

import pytest
from support import npm, postgresql
from support import reference_server as reference
from support.http_clients import share_certificates
from support.reference_server import ReferenceServer
from support.server import OurServer

# The suites of the contracts are code of the package; failing tests show their values all the same.
pytest.register_assert_rewrite("orthanc_fast.index.conformance")

# Bytecode is kept, whatever the environment of a container says: without it each process of each
# server would compile the program anew, which costs it more than a second of CPU.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

share_certificates()

# Their lines of each packet would drown what a failing test has logged.
for name in ("httpcore", "httpx"):
    logging.getLogger(name).setLevel(logging.WARNING)

TOOLS = {
    "Orthanc": "orthanc",
    "storescu": "dcmtk",
    "dciodvfy": "dicom3tools",
    "7z": "p7zip-full",
    "unzip": "unzip",
    "wrk": "wrk",
    "chromium": "chromium",
    "nginx": "nginx",
    "cadaver": "cadaver",
    "rclone": "rclone",
}
REFERENCE = f"Orthanc {reference.VERSION} (scripts/orthanc_root.sh)"
VIEWERS = "viewers and JavaScript clients (scripts/npm_packages.sh)"

MISSING = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
if postgresql.programs() is None:
    MISSING.append("postgresql")
if reference.root() is None:
    MISSING.append(REFERENCE)
if not npm.are_there():
    MISSING.append(VIEWERS)
ALLOWED = os.environ.get("ALLOW_MISSING") == "1"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if MISSING and not ALLOWED and exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MISSING:
        packages = ", ".join(MISSING)
        terminalreporter.section("NOT TESTED", red=True)
        terminalreporter.line(f"Tests against other software did not run: install {packages}.")
        if not ALLOWED:
            terminalreporter.line("This run has failed for it; ALLOW_MISSING=1 accepts the gap.")


@pytest.fixture(scope="session")
def our_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    """One running server for all tests that do not mind what it holds."""
    server = OurServer(tmp_path_factory.mktemp("ours"))
    with server:
        yield server


@pytest.fixture(scope="session")
def needs_reference() -> None:
    """For tests that start an Orthanc of their own."""
    if REFERENCE in MISSING:
        pytest.skip(f"{REFERENCE} is not installed: see the end of this run")


@pytest.fixture(scope="session")
def needs_debian_orthanc() -> None:
    """For tests that start Debian's Orthanc."""
    if "orthanc" in MISSING:
        pytest.skip("orthanc is not installed: see the end of this run")


@pytest.fixture(scope="session")
def needs_postgresql() -> None:
    """For tests that start a PostgreSQL."""
    if "postgresql" in MISSING:
        pytest.skip("postgresql is not installed: see the end of this run")


@pytest.fixture(scope="session")
def needs_browser() -> None:
    """For tests with a real browser."""
    if "chromium" in MISSING:
        pytest.skip("chromium is not installed: see the end of this run")


@pytest.fixture(scope="session")
def needs_nginx() -> None:
    """For tests behind a reverse proxy."""
    if "nginx" in MISSING:
        pytest.skip("nginx is not installed: see the end of this run")


@pytest.fixture(scope="session")
def needs_dav_clients() -> None:
    """For tests with real clients of WebDAV."""
    lacking = {"cadaver", "rclone"} & set(MISSING)
    if lacking:
        pytest.skip(f"{', '.join(sorted(lacking))} not installed: see the end of this run")


@pytest.fixture(scope="session")
def needs_viewers(needs_browser: None) -> None:
    """For tests with viewers and JavaScript clients in a real browser."""
    if VIEWERS in MISSING:
        pytest.skip(f"{VIEWERS} are not installed: see the end of this run")


@pytest.fixture(scope="session")
def reference_server(
    needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReferenceServer]:
    """Orthanc 1.13.0, without plugins."""
    server = ReferenceServer(tmp_path_factory.mktemp("reference"))
    with server:
        yield server
