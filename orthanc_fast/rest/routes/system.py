"""GET /system and /statistics, and the front page. Source: reference chapter 1, sections 1.10
and 10.1."""

import os
from functools import lru_cache
from hashlib import sha1
from pathlib import Path
from typing import Any

from orthanc_fast import __version__
from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.implementation import ORTHANC_VERSION
from orthanc_fast.model import Level
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import JSON, Response, encode_json, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import SERVER_FACTS
from orthanc_fast.services.processes.http import HttpServices

API_VERSION = 31
DATABASE_VERSION = 6

MEGABYTE = 1 << 20

LEAST_LOADERS, MOST_LOADERS = 4, 50  # of StorageLoaderThreadsCount, where it is not set


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET", "/system", get_system, answer=dict[str, Any], needs=SERVER_FACTS, limited=True
    )
    router.add(
        "GET",
        "/statistics",
        get_statistics,
        answer=dict[str, str | int],
        needs=SERVER_FACTS,
        limited=True,
    )


async def get_system(request: Request) -> Response:
    """What this server is and how it is configured."""
    return Response(_system(request.services), JSON)


@lru_cache(maxsize=1)
def _system(services: HttpServices) -> bytes:
    """The answer, which stays the same as long as the process runs."""
    settings = services.settings
    signatures = services.main_tags.signatures
    metadata = {name: number for name, number in settings.user_metadata.items()}
    metadata |= {str(number): number for number in settings.user_metadata.values()}
    return encode_json(
        {
            "ApiVersion": API_VERSION,
            "Capabilities": {
                "HasExtendedChanges": True,
                "HasExtendedFind": True,
                "HasKeyValueStores": True,
                "HasQueues": True,
                "HasReserveQueueValue": True,
            },
            "CheckRevisions": settings.check_revisions,
            "DatabaseBackendPlugin": None,
            "DatabaseServerIdentifier": server_identifier(settings),
            "DatabaseVersion": DATABASE_VERSION,
            "DicomAet": settings.dicom_aet,
            "DicomDefaultRetrieveMethod": settings.dicom_default_retrieve_method,
            "DicomPort": settings.dicom_port,
            "HasLabels": True,
            "HttpPort": settings.http_port,
            "IngestTranscoding": settings.ingest_transcoding,
            "IsHttpServerSecure": services.is_secure,
            "MainDicomTags": {
                "Patient": signatures[Level.PATIENT],
                "Study": signatures[Level.STUDY],
                "Series": signatures[Level.SERIES],
                "Instance": signatures[Level.INSTANCE],
            },
            "MaximumPatientCount": settings.maximum_patient_count,
            "MaximumStorageMode": settings.maximum_storage_mode,
            "MaximumStorageSize": settings.maximum_storage_size,
            "Name": settings.name,
            "OverwriteInstances": settings.overwrite_instances != "Never",
            "OverwriteInstancesMode": settings.overwrite_instances,
            "PatientLevelEnabled": settings.patient_level_enabled,
            "Performance": _performance(settings),
            "PluginsEnabled": False,
            "ReadOnly": settings.read_only,
            "StorageAreaPlugin": None,
            "StorageCompression": settings.storage_compression,
            "StoreMD5ForAttachments": settings.store_md5,
            "ThirdPartyPatches": [],
            "ThirdPartyVersions": {"orthanc_fast": __version__},
            "UserMetadata": metadata,
            "Version": ORTHANC_VERSION,
        }
    )


def _performance(settings: Settings) -> dict[str, Any]:
    given = settings.raw
    jobs = given.get("ConcurrentJobs", 2)
    loaders = given.get("StorageLoaderThreadsCount")
    if loaders is None:
        wanted = (jobs or os.cpu_count() or 1) * given.get("LoaderThreads", 1)
        loaders = min(max(wanted, LEAST_LOADERS), MOST_LOADERS)
    return {
        "ConcurrentJobs": jobs,
        "DicomParserCacheSize": given.get("DicomParserCacheSize", 256),
        "DicomParserMemoryCapacity": given.get("DicomParserMemoryCapacity", 256),
        "DicomParserThreadsCount": given.get("DicomParserThreadsCount", 2),
        "DicomThreadsCount": given.get("DicomThreadsCount", 4),
        "HttpThreadsCount": given.get("HttpThreadsCount", 50),
        "MaximumStorageCacheSize": given.get("MaximumStorageCacheSize", 128),
        "SequentialDicomReaderThreadsCount": given.get("SequentialDicomReaderThreadsCount")
        or loaders,
        "StorageLoaderThreadsCount": loaders,
        "StorageMemoryCapacity": given.get("StorageMemoryCapacity", 512),
        "TranscoderCacheSize": given.get("TranscoderCacheSize", 256),
        "TranscoderMemoryCapacity": given.get("TranscoderMemoryCapacity", 256),
        "TranscoderThreadsCount": given.get("TranscoderThreadsCount", 4),
    }


def server_identifier(settings: Settings) -> str:
    """The option, else a digest of what tells this server from others: section 10.1."""
    if settings.database_server_identifier is not None:
        return settings.database_server_identifier
    items = [
        f"aet={settings.dicom_aet}",
        f"dicom-port={settings.dicom_port}",
        f"http-port={settings.http_port}",
    ]
    for entry in os.scandir("/sys/class/net") if os.path.isdir("/sys/class/net") else ():
        address = Path(entry.path, "address")
        mac = address.read_text().strip().lower() if address.exists() else ""
        if mac and mac != "00:00:00:00:00:00":
            items.append(f"mac={mac}")
    return to_text(sha1("|".join(sorted(items)).encode(), usedforsecurity=False).digest())


def get_statistics(request: Request) -> Response:
    """Counters of the whole store."""
    totals = request.services.resources.totals(request.caller)
    return json_response(
        {
            "CountInstances": totals.resources[Level.INSTANCE],
            "CountPatients": totals.resources[Level.PATIENT],
            "CountSeries": totals.resources[Level.SERIES],
            "CountStudies": totals.resources[Level.STUDY],
            "TotalDiskSize": str(totals.disk_size),
            "TotalDiskSizeMB": totals.disk_size // MEGABYTE,
            "TotalUncompressedSize": str(totals.uncompressed_size),
            "TotalUncompressedSizeMB": totals.uncompressed_size // MEGABYTE,
        }
    )
