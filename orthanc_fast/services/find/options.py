"""The options of searching. Source: reference chapter 1, sections 5.3, 9.4 and 11.2."""

from typing import Any

import msgspec

from orthanc_fast.config_options import BY_NAME
from orthanc_fast.errors import BadFileFormat, ParameterOutOfRange
from orthanc_fast.log import Category, logger

WARNINGS = {
    "W001": "W001_TagsBeingReadFromStorage",
    "W002": "W002_InconsistentDicomTagsInDb",
    "W003": "W003_DecoderFailure",
    "W004": "W004_NoMainDicomTagsSignature",
    "W005": "W005_RequestingTagFromLowerResourceLevel",
    "W006": "W006_RequestingTagFromMetaHeader",
    "W007": "W007_MissingRequestedTagsNotReadFromDisk",
}


class FindOptions(msgspec.Struct, frozen=True):
    """`files_allowed` is False for StorageAccessOnFind "Never"; `silent` holds the short names of
    the warnings that are switched off."""

    limit_results: int = 0
    limit_instances: int = 0
    files_allowed: bool = True
    silent: frozenset[str] = frozenset()

    def warn(self, name: str, text: str) -> None:
        """Logs a warning, such as W001, unless it is switched off."""
        if name not in self.silent:
            logger.warning(Category.GENERIC, f"{name}: {text}")


def find_options(raw: dict[str, Any]) -> FindOptions:
    """Raises ParameterOutOfRange or BadFileFormat for values that cannot be used."""

    def get(name: str) -> Any:
        value = raw.get(name)
        return BY_NAME[name].default if value is None else value

    access = get("StorageAccessOnFind")
    if access not in ("Always", "Answers", "Never"):
        raise ParameterOutOfRange('StorageAccessOnFind must be "Always", "Answers" or "Never"')
    return FindOptions(
        limit_results=get("LimitFindResults"),
        limit_instances=get("LimitFindInstances"),
        files_allowed=access != "Never",
        silent=_silent(get("Warnings") or {}),
    )


def _silent(given: dict[str, Any]) -> frozenset[str]:
    names = {name: short for short, name in WARNINGS.items()}
    for name, value in given.items():
        if name not in names:
            raise BadFileFormat(f"Warnings: there is no warning {name!r}")
        if not isinstance(value, bool):
            raise BadFileFormat(f"Warnings: {name} must be true or false")
    return frozenset(names[name] for name, value in given.items() if not value)
