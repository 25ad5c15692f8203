"""The sections of what Orthanc has as bundled plugins: Worklists, ServeFolders,
Housekeeper, DelayedDeletion, MultitenantDicom.

For each there is a function that makes it of what the file says. They raise ValueError with the
reason. Source: reference chapter 7, section 7.
"""

import re
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from orthanc_fast.model import LabelsConstraint, Level
from orthanc_fast.registries import AE_TITLE, LABEL


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


DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TagsLevel = Literal["All", "Patient", "Study", "Series", "Instance"]


class Triggers(msgspec.Struct, frozen=True, rename="pascal"):
    """What makes the housekeeper work when it has changed since its last run. There are neither
    files of JSON nor a cache of DICOMweb that would have to be renewed here: these two are read and
    mean nothing."""

    storage_compression_change: bool = True
    main_dicom_tags_change: bool = True
    unnecessary_dicom_as_json_files: bool = True
    ingest_transcoding_change: bool = True
    dicom_web_cache_change: bool = True


class Housekeeper(msgspec.Struct, frozen=True, rename="pascal"):
    """The options of the housekeeper; `throttle_delay` is in seconds. `hours` are those of each day
    of the week, Monday first, in which it may work; None: always."""

    enable: bool = False
    global_property_id: int = 1025
    force: bool = False
    force_reconstruct_files: bool = False
    limit_main_dicom_tags_reconstruct_level: TagsLevel = "All"
    throttle_delay: int = 5
    triggers: Triggers = Triggers()
    schedule: dict[str, list[str]] | None = None
    hours: tuple[frozenset[int], ...] | None = None

    def allows(self, weekday: int, hour: int) -> bool:
        """Whether it may work then; Monday is 0."""
        return self.hours is None or hour in self.hours[weekday]


def housekeeper(value: Any) -> Housekeeper | None:
    """The options of the section `Housekeeper`, None where it is not enabled."""
    found = msgspec.convert({**value, "Hours": None}, Housekeeper)
    if not found.enable:
        return None
    if found.throttle_delay < 0:
        raise ValueError("ThrottleDelay must be at least 0")
    if found.global_property_id < 0:
        raise ValueError("GlobalPropertyId must be at least 0")
    return msgspec.structs.replace(found, hours=hours_of(found.schedule))


def hours_of(schedule: dict[str, list[str]] | None) -> tuple[frozenset[int], ...] | None:
    """The hours of each day of the week, Monday first, that a `Schedule` allows; None: all. Raises
    ValueError."""
    if schedule is None:
        return None
    if unknown := set(schedule) - set(DAYS):
        raise ValueError(f"Schedule: there is no day {min(unknown)!r}; there are {', '.join(DAYS)}")
    hours = tuple(_hours(schedule.get(day, [])) for day in DAYS)
    if not any(hours):
        raise ValueError("Schedule: there is no hour in which it could work")
    return hours


def _hours(ranges: list[str]) -> frozenset[int]:
    found: set[int] = set()
    for text in ranges:
        match = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text, re.ASCII)
        if match is None or not int(match[1]) < int(match[2]) <= 24:
            raise ValueError(f"Schedule: hours are like 0-6 or 20-24, not {text!r}")
        found.update(range(int(match[1]), int(match[2])))
    return frozenset(found)


class _DelayedDeletion(msgspec.Struct, frozen=True, rename="pascal"):
    """Read, and only `enable` means something: files are deleted after the answer in any case."""

    enable: bool = True
    throttle_delay_ms: int = 0
    path: str = ""


def delayed_deletion(value: Any) -> bool:
    """Whether the section `DelayedDeletion` asks for the route that tells of it. As with Orthanc an
    empty section does."""
    return value is not None and msgspec.convert(value, _DelayedDeletion).enable


class Tenant(msgspec.Struct, frozen=True):
    """A DICOM server of its own, on `port`: its queries find what has `labels`, as `constraint`
    says, and what it stores gets them at `store_levels`."""

    aet: str
    port: int
    labels: tuple[str, ...]
    constraint: LabelsConstraint = "All"
    store_levels: tuple[Level, ...] = (Level.STUDY, Level.SERIES, Level.INSTANCE)


class _Server(msgspec.Struct, frozen=True):
    aet: str = msgspec.field(name="AET")
    port: int = msgspec.field(name="Port")
    labels: list[str] = msgspec.field(name="Labels")
    constraint: LabelsConstraint = msgspec.field(default="All", name="LabelsConstraint")
    store_levels: list[Literal["Patient", "Study", "Series", "Instance"]] = msgspec.field(
        default_factory=lambda: ["Study", "Series", "Instance"], name="LabelsStoreLevels"
    )


class _Multitenant(msgspec.Struct, frozen=True, rename="pascal"):
    servers: list[_Server] = []


def tenants(value: Any) -> tuple[Tenant, ...]:
    """The servers of the section `MultitenantDicom`."""
    return tuple(_tenant(each) for each in msgspec.convert(value, _Multitenant).servers)


def _tenant(server: _Server) -> Tenant:
    if AE_TITLE.match(server.aet) is None:
        raise ValueError(
            f"AET: {server.aet!r} is no application entity title: 1 to 16 characters, "
            "no backslash, no control character"
        )
    if not 0 < server.port < 65536:
        raise ValueError(f"{server.aet}: Port: a port is a number from 1 to 65535")
    wrong = [each for each in server.labels if LABEL.match(each) is None]
    if wrong:
        raise ValueError(
            f"{server.aet}: Labels: {wrong[0]!r} is no label: 1 to 64 of the characters A-Z, a-z, "
            "0-9, _ and -"
        )
    levels = tuple(level for level in Level if level.name.title() in server.store_levels)
    return Tenant(
        server.aet, server.port, tuple(dict.fromkeys(server.labels)), server.constraint, levels
    )
