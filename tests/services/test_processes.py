"""Each kind of process loads only what it needs."""

import subprocess
import sys

import pytest

PICTURES = {
    "orthanc_fast.imaging",
    "orthanc_fast.services.pixels",
    "orthanc_fast.services.transcoding",
    "orthanc_fast.services.volumes",
    "imagecodecs",
    "numpy",
}


def loaded(work: str) -> set[str]:
    """The modules of a fresh interpreter after some work."""
    code = f"import sys\n{work}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def opened(kind: str, options: str, arguments: str) -> str:
    """Work that opens and closes the services of a process."""
    module, name = kind.rsplit(".", 1)
    return f"""
import asyncio, pathlib, tempfile
from orthanc_fast.config import Settings
from orthanc_fast.services.processes.{module} import {name}
with tempfile.TemporaryDirectory() as folder:
    place = pathlib.Path(folder)
    settings = Settings(
        storage_directory=place, index_directory=place, index_map_size_gb=1, {options}
    )
    with asyncio.Runner() as runner:
        {name}(settings, "test", {arguments}).close()
"""


def test_a_dicom_worker_draws_nothing() -> None:
    found = loaded("import orthanc_fast.network.worker" + opened("every.WorkerServices", "", ""))
    assert "orthanc_fast.services.ingest.ingest" in found
    unwanted = PICTURES | {"orthanc_fast.rest", "orthanc_fast.services.find", "aiohttp", "granian"}
    assert not found & unwanted


def test_an_http_worker_loads_no_large_library_before_it_is_needed() -> None:
    work = opened("http.HttpServices", "", "runner.get_loop(), print, True")
    found = loaded("import orthanc_fast.rest.app" + work)
    assert "orthanc_fast.rest.routes.peers" in found
    assert not found & {"aiohttp", "pydicom", "pynetdicom"}
    assert "orthanc_fast.rest.webdav" in found  # the routes alone
    unwanted = ("orthanc_fast.services.routing", "orthanc_fast.services.webdav")
    assert not [name for name in found if name.startswith((*unwanted, "orthanc_fast.rest.webdav."))]


def test_a_dicom_worker_that_transcodes() -> None:
    syntax = "ingest_transcoding='1.2.840.10008.1.2.1'"
    found = loaded(opened("every.WorkerServices", syntax, ""))
    assert {"orthanc_fast.services.transcoding.arriving", "orthanc_fast.imaging.decode"} <= found


@pytest.mark.parametrize(
    ("kind", "arguments", "unwanted"),
    [
        (
            "resources.ResourceServices",
            "runner.get_loop()",
            {"orthanc_fast.rest", "orthanc_fast.services.volumes", "orthanc_fast.network"},
        ),
        (
            "http.HttpServices",
            "runner.get_loop(), print, True",
            {"orthanc_fast.network", "pynetdicom"},
        ),
    ],
)
def test_the_others(kind: str, arguments: str, unwanted: set[str]) -> None:
    found = loaded(opened(kind, "", arguments))
    assert "orthanc_fast.services.browse.resources" in found
    assert not found & unwanted
