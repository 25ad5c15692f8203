"""What a configuration asks of plugins of Orthanc, and what this server has instead."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from orthanc_fast.config import Settings

# Where a plugin keeps files or index, no adoption can find them. By the section of the
# configuration; the last text is what to do.
_ELSEWHERE: Final = {
    "MySQL": "its index is in MySQL: let Orthanc replicate it into SQLite or PostgreSQL first",
    "Odbc": "its index is in a database of ODBC: let Orthanc replicate it into SQLite first",
    "AwsS3Storage": "files are in S3: copy them into StorageDirectory first",
    "AzureBlobStorage": "files are in Azure: copy them into StorageDirectory first",
    "GoogleCloudStorage": "files are in Google's cloud: copy them into StorageDirectory first",
    "AdvancedStorage": "files have names of its own: let its housekeeping bring them back into "
    "StorageDirectory first",
    "Indexer": "files lie in folders that it has indexed: import them (orthanc-fast import)",
}
# Nothing of the data depends on these.
_WITHOUT: Final = {
    "Authorization": "users with rights and labels (`Users`, docs/users.md), or a proxy that "
    "authenticates (docs/behind-a-proxy.md)",
    "Java": "scripts in Lua or Python (docs/scripting.md)",
    "Neuro": "/series/{id}/nifti (docs/volumes.md)",
    "TCIA": "nothing: download from there, then orthanc-fast import",
    "Transfers": "peers (docs/peers.md), which send many files at once",
    "WholeSlideImaging": "frames by DICOMweb (docs/dicomweb.md)",
}
# Files of plugins by a part of their name, in lower case; None: this server does it too.
_FILES: Final = {
    "aws": "AwsS3Storage",
    "azure": "AzureBlobStorage",
    "googlestorage": "GoogleCloudStorage",
    "googlecloud": "GoogleCloudStorage",
    "advancedstorage": "AdvancedStorage",
    "indexer": "Indexer",
    "mysql": "MySQL",
    "odbc": "Odbc",
    "authorization": "Authorization",
    "java": "Java",
    "neuro": "Neuro",
    "tcia": "TCIA",
    "transfers": "Transfers",
    "wsi": "WholeSlideImaging",
    **dict.fromkeys(
        (
            *("modalityworklists", "worklists", "servefolders", "housekeeper", "delayeddeletion"),
            *("multitenantdicom", "dicomweb", "gdcm", "python", "explorer2", "ohif", "volview"),
            *("postgresql", "webviewer", "stone", "connectivitychecks"),
        )
    ),
}


def in_the_way(settings: Settings) -> list[str]:
    """Plugins that keep data where an adoption does not find them, each with what to do."""
    return [f"{name}: {_ELSEWHERE[name]}" for name in _named(settings) if name in _ELSEWHERE]


def without_counterpart(settings: Settings) -> list[str]:
    """Plugins whose work nobody would do, each with what there is instead."""
    known = _ELSEWHERE.keys() | _WITHOUT.keys()
    return [
        f"{name}: instead there is {_WITHOUT[name]}" if name in _WITHOUT else f"{name}: not known"
        for name in _named(settings)
        if name in _WITHOUT or name not in known
    ]


def _named(settings: Settings) -> list[str]:
    """By sections that are not disabled, and by files that would be loaded."""
    raw = settings.raw
    found = [
        name for name in (*_ELSEWHERE, *_WITHOUT) if name in raw and not _is_disabled(raw[name])
    ]
    for path in _plugin_files(raw.get("Plugins") or ()):
        stem = path.name.lower().removeprefix("lib").removeprefix("orthanc").split(".")[0]
        part = next((part for part in _FILES if part in stem), None)
        name = _FILES[part] if part is not None else path.name
        is_asked_for = part is None or not _is_disabled(raw.get(name or ""), absent=True)
        if name is not None and name not in found and is_asked_for:
            found.append(name)
    return found


def _is_disabled(section: Any, absent: bool = False) -> bool:
    """Packages install every plugin, and their sections say which one works."""
    if not isinstance(section, dict):
        return absent
    return any(section.get(name) is False for name in ("Enable", "Enabled", "EnableIndex"))


def _plugin_files(paths: Iterable[Any]) -> list[Path]:
    found: list[Path] = []
    for text in paths:
        path = Path(str(text))
        found += sorted(path.glob("*.so")) if path.is_dir() else [path]
    return found
