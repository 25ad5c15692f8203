"""What an index of ours has and that of an Orthanc has no place for: counted and named."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.rights import EVERYTHING
from orthanc_fast.services.administration.damages import DAMAGED
from orthanc_fast.services.dicom_web_client.registry import DicomWebServers
from orthanc_fast.services.exchange.webhooks import PROPERTY as WEBHOOKS
from orthanc_fast.services.jobs.contract import State
from orthanc_fast.services.jobs.records import saved_job_of
from orthanc_fast.services.jobs.registry import SAVED as JOBS
from orthanc_fast.services.moving.report import Finding
from orthanc_fast.services.routing.added import ADDED as ROUTING_ADDED
from orthanc_fast.services.routing.records import ENTRIES as ROUTING_ENTRIES
from orthanc_fast.services.routing.records import FAILED as ROUTING_FAILED
from orthanc_fast.services.users.sessions import SESSION, SHARE
from orthanc_fast.services.worklists.database import PREFIX as WORKLISTS

_KIND: Final = "not held by Orthanc"
_AT_ONCE: Final = 1000
_ENDED: Final = (State.SUCCESS, State.FAILURE)

Named = Callable[[str, bytes], list[str]]
"""What a property stands for, each by its name, "" for none: of what follows its prefix, and its
value."""


def _one(name: str, value: bytes) -> list[str]:
    return [""]


def _first(name: str, value: bytes) -> list[str]:
    return [name.partition("/")[0]]


def _keys(name: str, value: bytes) -> list[str]:
    return list(msgspec.json.decode(value, type=dict[str, msgspec.Raw]))


def _unfinished_job(name: str, value: bytes) -> list[str]:
    job = saved_job_of(value)
    return [] if job.status.state in _ENDED else [f"{job.facts.kind} {name}"]


_PROPERTIES: Final[tuple[tuple[str, str, Named], ...]] = (
    (JOBS, "jobs that had not ended: let them end first, or submit them again", _unfinished_job),
    (SESSION, "sessions of users: they log in again", _one),
    (SHARE, "share links: they end", _one),
    (ROUTING_ENTRIES, "entries of routing that wait to be sent, by destination", _first),
    (ROUTING_FAILED, "instances that routing has set aside, by destination", _first),
    (ROUTING_ADDED, "the rules and destinations of routing that were added by REST", _one),
    (WORKLISTS, "worklist entries that were added by REST", _one),
    (DicomWebServers.plural, "the servers of DICOMweb that are kept in the database", _keys),
    (WEBHOOKS, "how far webhooks have come", _one),
    (DAMAGED, "entries of the list of damaged files (/tools/scrubber)", _one),
)


def not_held(view: Snapshot, settings: Settings) -> list[Finding]:
    """Of the properties of the whole server, and of what the configuration has beside them."""
    found = []
    for prefix, explanation, named in _PROPERTIES:
        finding = Finding(_KIND, explanation)
        for name, value in properties_of(view, prefix):
            for subject in named(name.removeprefix(prefix), value):
                _add(finding, subject)
        found.append(finding)
    users = Finding(
        _KIND, "users with rights or labels of their own: Orthanc knows RegisteredUsers only"
    )
    for user in settings.users:
        if user.labels is not None or user.rights != EVERYTHING:
            users.add(user.name)
    return [each for each in (*found, users) if each.count]


def lost(explanation: str) -> Finding:
    """One more, to be counted by who comes across it."""
    return Finding(_KIND, explanation)


def properties_of(view: Snapshot, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Those below a prefix, some at a time."""
    after: str | None = None
    while page := view.some_properties(prefix, after, _AT_ONCE):
        yield from page
        after = page[-1][0]


def _add(finding: Finding, subject: str) -> None:
    """Each name once."""
    if subject and subject not in finding.subjects:
        finding.add(subject)
    else:
        finding.count += 1
