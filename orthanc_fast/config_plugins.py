"""The sections of what Orthanc has as bundled plugins: Worklists, ServeFolders.

For each there is a function that makes it of what the file says. They raise ValueError with the
reason. Source: reference chapter 7, section 7.
"""

from pathlib import Path
from typing import Any

import msgspec


class Worklists(msgspec.Struct, frozen=True):
    """The worklists that this server gives to modalities: from the files of a folder, or, where
    that is None, from its own database."""

    folder: Path | None
    filter_issuer_aet: bool
    limit_answers: int  # 0: no limit; with N there are N+1 answers, as with Orthanc
    set_study_uid: bool
    delete_on_stable_study: bool
    interval: int  # seconds between two rounds of housekeeping
    delay: int  # hours after which a worklist of the database goes anyway, 0: never
    log_matched: bool

    @property
    def expires(self) -> bool:
        """Whether old worklists go."""
        return self.folder is None and self.delay > 0


class _WorklistsSection(msgspec.Struct, frozen=True, rename="pascal"):
    """As Orthanc's plugins have it. What is unknown is passed over, as by them."""

    enable: bool = False
    directory: str = ""
    database: str = ""
    filter_issuer_aet: bool = False
    limit_answers: int = 0
    save_in_orthanc_database: bool = False
    set_study_instance_uid_if_missing: bool = True
    delete_worklists_on_stable_study: bool = True
    housekeeping_interval: int = 60
    delete_worklists_delay: int = 24
    log_matched_worklist_ids: bool = False


def worklists(value: Any, here: Path) -> Worklists | None:
    """The options of the section `Worklists`, None where it is not enabled; `here` is where
    relative paths begin."""
    found = msgspec.convert(value, _WorklistsSection)
    if not found.enable:
        return None
    folder = found.directory or found.database
    if found.directory and found.database and found.directory != found.database:
        raise ValueError("Directory and Database are two names of the same option: give one")
    if found.save_in_orthanc_database and folder:
        raise ValueError("SaveInOrthancDatabase and Directory exclude each other: give one")
    if not found.save_in_orthanc_database and not folder:
        raise ValueError(
            "needs Directory, the folder of the worklist files, or SaveInOrthancDatabase"
        )
    if found.limit_answers < 0 or found.delete_worklists_delay < 0:
        raise ValueError("LimitAnswers and DeleteWorklistsDelay must be at least 0")
    if found.housekeeping_interval < 1:
        raise ValueError("HousekeepingInterval must be at least 1")
    return Worklists(
        folder=here / folder if folder else None,
        filter_issuer_aet=found.filter_issuer_aet,
        limit_answers=found.limit_answers,
        set_study_uid=found.set_study_instance_uid_if_missing,
        delete_on_stable_study=found.delete_worklists_on_stable_study,
        interval=found.housekeeping_interval,
        delay=found.delete_worklists_delay,
        log_matched=found.log_matched_worklist_ids,
    )


class ServedFolder(msgspec.Struct, frozen=True):
    """A folder and where it is served: `uri` without slashes at its ends."""

    uri: str
    folder: Path


class ServeFolders(msgspec.Struct, frozen=True):
    """Folders that are served over HTTP. `types` are MIME types by extension in lower case, without
    a dot; `problem` says why none is served."""

    folders: tuple[ServedFolder, ...] = ()
    allow_cache: bool = False
    generate_etag: bool = True
    types: dict[str, str] = {}
    problem: str = ""


class _ServeFoldersSection(msgspec.Struct, frozen=True):
    folders: dict[str, str] = msgspec.field(default_factory=dict, name="Folders")
    allow_cache: bool = msgspec.field(default=False, name="AllowCache")
    generate_etag: bool = msgspec.field(default=True, name="GenerateETag")
    extensions: dict[str, str] = msgspec.field(default_factory=dict, name="Extensions")


def serve_folders(value: Any, here: Path) -> ServeFolders | None:
    """The options of the section `ServeFolders`, None where it names no folder; `here` is where
    relative paths begin. As with Orthanc, a folder that is not there keeps nobody from starting,
    but none is served then."""
    given = value if isinstance(value, dict) and "Folders" in value else {"Folders": value}
    found = msgspec.convert(given, _ServeFoldersSection)
    if not found.folders:
        return None
    folders = []
    problem = ""
    for uri, folder in found.folders.items():
        served = ServedFolder("/".join(filter(None, uri.split("/"))), here / folder)
        folders.append(served)
        if not served.uri:
            problem = (
                f"{folder} would be served at the root of the server: give a path such as /www"
            )
        elif not served.folder.is_dir():
            problem = f"there is no folder {served.folder}"
    if len({each.uri for each in folders}) < len(folders):
        raise ValueError("two folders are served at the same path")
    types = {name.lower().removeprefix("."): kind for name, kind in found.extensions.items()}
    if bad := next((kind for kind in types.values() if not kind.isascii() or "\n" in kind), None):
        raise ValueError(f"Extensions: {bad!r} is no MIME type")
    return ServeFolders(
        () if problem else tuple(folders), found.allow_cache, found.generate_etag, types, problem
    )
