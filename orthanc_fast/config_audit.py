"""The section `AuditLog`: where it is written who did what, and how much of it is kept."""

from pathlib import Path
from typing import Any

import msgspec


class AuditLog(msgspec.Struct, frozen=True):
    """`reads`: also who only looks at something. A file of more than `maximum_size` bytes gets
    `.1` behind its name, and so on; there are `files` of them, 0: none is moved."""

    path: Path
    maximum_size: int
    files: int
    reads: bool


class _AuditLogSection(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    path: str = ""
    maximum_size_mb: int = msgspec.field(default=100, name="MaximumSizeMB")
    files: int = 10
    reads: bool = True


def audit_log(value: Any, here: Path) -> AuditLog | None:
    """The options of the section, None without `Path`; `here` is where relative paths begin.
    Raises ValueError."""
    found = msgspec.convert(value, _AuditLogSection)
    if not found.path:
        if value:
            raise ValueError("needs Path, the file that is written to")
        return None
    if found.maximum_size_mb < 1 or found.files < 0:
        raise ValueError("MaximumSizeMB must be at least 1, Files at least 0")
    return AuditLog(here / found.path, found.maximum_size_mb << 20, found.files, found.reads)
