"""Fixtures of the tests of DICOMweb."""

from collections.abc import Iterator

import httpx
import pytest
from support import dicom_web
from support.dicom_web import DicomWebPair
from support.server import OurServer


@pytest.fixture(scope="module")
def ours(our_server: OurServer) -> Iterator[httpx.Client]:
    """The server that all tests share."""
    with httpx.Client(base_url=our_server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DicomWebPair]:
    """Both servers, for one module."""
    with dicom_web.started(tmp_path_factory.mktemp("pair")) as both:
        yield both
