"""The routes of DICOMweb: PS3.18 with the addresses and answers of Orthanc's plugin.

Source: reference chapter 5.
"""

from orthanc_fast.config import Settings
from orthanc_fast.rest.dicom_web import (
    bulk_data,
    capabilities,
    deletion,
    description,
    frames,
    metadata,
    rendered,
    retrieve,
    search,
    servers,
    store,
    wado_uri,
)
from orthanc_fast.rest.router import Router

FAMILIES = (
    bulk_data,
    capabilities,
    deletion,
    description,
    frames,
    metadata,
    rendered,
    retrieve,
    search,
    servers,
    store,
    wado_uri,
)


def add_routes(router: Router, settings: Settings) -> None:
    for family in FAMILIES:
        family.add_routes(router, settings)
