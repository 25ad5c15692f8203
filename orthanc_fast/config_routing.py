"""The option `Routing`: rules by which stored instances are sent on, and where to.

What is wrong is told with the name of its rule or destination; whether tags, transfer syntaxes and
modifications mean something is checked by `services/routing/checking.py`.
"""

import re
import time
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

Event = Literal["NewInstance", "StableSeries", "CompletedSeries", "StableStudy", "StablePatient"]
ORIGINS: Final = ("Origin", "RemoteAET", "CalledAET", "RemoteIP", "HttpUsername")
"""What an origin may name: metadata of an instance."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = re.compile(
    r"(?:(?P<first>[A-Z][a-z]{2})(?:-(?P<last>[A-Z][a-z]{2}))? )?"
    r"(?P<from>\d\d:\d\d)-(?P<to>\d\d:\d\d)"
)
_DAY: Final = 24 * 60  # minutes
_WEEK: Final = 7 * _DAY


class _Section(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    pass


class Destination(_Section, frozen=True, kw_only=True):
    """Where instances go: exactly one of the first four. Times are in seconds."""

    modality: str = ""
    peer: str = ""
    dicom_web: str = ""
    folder: str = ""
    path: str = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"  # below the folder
    compress: bool = False  # gzip, to a peer
    hours: tuple[str, ...] = ()  # of the server's clock; none: always
    bandwidth: int = 0  # KB per second, 0: no limit
    attempts: int = 10  # for an instance that the destination refuses
    give_up_after: float = 0.0  # for one that cannot be sent at all; 0: never
    first_pause: float = 1.0  # each is twice as long as the one before
    longest_pause: float = 300.0
    timeout: int = 300  # for each answer, where the entry of the server has none of its own
    send_back: bool = False  # also what came from there

    @property
    def kind(self) -> str:
        """The field that says where it is."""
        found = {
            "Modality": self.modality,
            "Peer": self.peer,
            "DicomWeb": self.dicom_web,
            "Folder": self.folder,
        }
        return next((name for name, value in found.items() if value), "")

    @property
    def target(self) -> str:
        """The symbolic name of the server, or the folder."""
        return self.modality or self.peer or self.dicom_web or self.folder


class Rule(_Section, frozen=True, kw_only=True):
    """What is sent: when `event` happens to a resource that meets the rest."""

    event: Event = "NewInstance"
    query: dict[str, str] = {}  # as that of /tools/find
    case_sensitive: bool = False
    labels: tuple[str, ...] = ()
    labels_constraint: Literal["All", "Any", "None"] = "All"
    origin: dict[str, str] = {}  # of each instance, with * and ?
    anonymize: dict[str, Any] | None = None  # the body of an anonymization
    modify: dict[str, Any] | None = None
    transcode: str = ""
    destinations: tuple[str, ...]
    enabled: bool = True


class Routing(msgspec.Struct, frozen=True):
    """All of it, by name, in the order of the file; `here` is where relative folders begin."""

    destinations: dict[str, Destination] = {}
    rules: dict[str, Rule] = {}
    here: Path = Path()


def routing(value: Any, here: Path) -> Routing | None:
    """The option `Routing`, None where there is none; `here` is where relative folders begin.
    Raises ValueError."""
    if value is None:
        return None
    unknown = sorted(set(value) - {"Destinations", "Rules"})
    if unknown:
        raise ValueError(f"it has Destinations and Rules, but no {unknown[0]!r}")
    for part in ("Destinations", "Rules"):
        if not isinstance(value.get(part, {}), dict):
            raise ValueError(f"{part} must be an object with a name for each")
    destinations = {
        name: destination(name, each, here) for name, each in value.get("Destinations", {}).items()
    }
    rules = {name: rule(name, each, destinations) for name, each in value.get("Rules", {}).items()}
    return Routing(destinations, rules, here)


def destination(name: str, value: Any, here: Path) -> Destination:
    """One destination. Raises ValueError that names it."""
    what = f"destination {name!r}"
    _check_name(name, what)
    try:
        found = msgspec.convert(value, Destination)
        Hours(found.hours)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    ways = (found.modality, found.peer, found.dicom_web, found.folder)
    if sum(map(bool, ways)) != 1:
        raise ValueError(f"{what}: give one of Modality, Peer, DicomWeb and Folder")
    if found.attempts < 1 or found.bandwidth < 0 or found.give_up_after < 0:
        raise ValueError(
            f"{what}: Attempts must be at least 1, Bandwidth and GiveUpAfter at least 0"
        )
    if found.timeout < 1:
        raise ValueError(f"{what}: Timeout must be at least 1")
    if not 0 < found.first_pause <= found.longest_pause:
        raise ValueError(f"{what}: FirstPause must be above 0, LongestPause not below it")
    if not found.folder:
        return found
    _check_path(found.path, what)
    return msgspec.structs.replace(found, folder=str(here / found.folder))


PATH_TAGS: Final = (
    *("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
    *("StudyDate", "Modality", "AccessionNumber", "Rule"),
)
"""What a path may name in braces."""


def _check_path(path: str, what: str) -> None:
    unknown = set(re.findall(r"\{([^{}]*)\}", path)) - set(PATH_TAGS)
    if unknown:
        raise ValueError(
            f"{what}: Path: there is no {{{min(unknown)}}}; there are {', '.join(PATH_TAGS)}"
        )
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "" in parts or "\0" in path:
        raise ValueError(f"{what}: Path must lie below Folder, and have no empty part")
    if "{SOPInstanceUID}" not in parts[-1]:
        raise ValueError(f"{what}: Path must end with a name that has {{SOPInstanceUID}}")


def rule(name: str, value: Any, destinations: dict[str, Destination]) -> Rule:
    """One rule. Raises ValueError that names it."""
    what = f"rule {name!r}"
    _check_name(name, what)
    try:
        found = msgspec.convert(value, Rule)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    if not found.destinations:
        raise ValueError(f"{what}: Destinations must name at least one")
    for each in found.destinations:
        if each not in destinations:
            raise ValueError(f"{what}: there is no destination {each!r}")
    if len(set(found.destinations)) < len(found.destinations):
        raise ValueError(f"{what}: a destination is named twice")
    unknown = sorted(set(found.origin) - set(ORIGINS))
    if unknown:
        raise ValueError(
            f"{what}: Origin: there is no {unknown[0]!r}; there are {', '.join(ORIGINS)}"
        )
    if found.anonymize is not None and found.modify is not None:
        raise ValueError(f"{what}: give one of Anonymize and Modify")
    return found


def _check_name(name: str, what: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what}: a name has letters, digits, - and _, 64 of them at most")


class Hours:
    """When a destination is sent to, on the server's clock: any of some texts as `22:00-06:00`,
    `Mon-Fri 20:00-24:00`; none of them is always. Hours that go on after midnight belong to the
    day on which they begin."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        """Raises ValueError."""
        self._open = [span for text in texts for span in _spans(text)]
        self._is_always = not texts

    def is_open(self, when: float) -> bool:
        """At this time, in seconds since the epoch."""
        return self._is_always or self._has(_minute(when))

    def next_opening(self, when: float) -> float:
        """The time at which they are open again, which is `when` where they are."""
        if self.is_open(when):
            return when
        minute = _minute(when)
        wait = min((start - minute) % _WEEK for start, _ in self._open)
        return when + wait * 60 - time.localtime(when).tm_sec

    def _has(self, minute: int) -> bool:
        return any(start <= minute < end or minute + _WEEK < end for start, end in self._open)


def _minute(when: float) -> int:
    local = time.localtime(when)
    return local.tm_wday * _DAY + local.tm_hour * 60 + local.tm_min


def _spans(text: str) -> list[tuple[int, int]]:
    """The minutes of the week, from Monday's first on; one that is open until Monday ends behind
    the week."""
    found = _HOURS.fullmatch(text)
    days = range(7)
    if found is None:
        raise ValueError(f"Hours are like 22:00-06:00 or Mon-Fri 20:00-24:00, not {text!r}")
    if found["first"]:
        for name in (found["first"], found["last"] or found["first"]):
            if name not in _DAYS:
                raise ValueError(f"Hours: there is no day {name!r}; there are {', '.join(_DAYS)}")
        first = _DAYS.index(found["first"])
        count = (_DAYS.index(found["last"] or found["first"]) - first) % 7 + 1
        days = range(first, first + count)
    start, end = (_clock(found[name]) for name in ("from", "to"))
    if start == end:
        raise ValueError(f"Hours begin and end at the same time: {text!r}")
    if end < start:
        end += _DAY
    return [(day % 7 * _DAY + start, day % 7 * _DAY + end) for day in days]


def _clock(text: str) -> int:
    hours, minutes = map(int, text.split(":"))
    if minutes > 59 or hours * 60 + minutes > _DAY:
        raise ValueError(f"Hours: there is no time {text!r}")
    return hours * 60 + minutes
