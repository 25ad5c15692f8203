"""What one line of the audit log says."""

from functools import lru_cache
from typing import Literal

import msgspec

from orthanc_fast.model import Caller

Event = Literal["read", "search", "store", "change", "send", "retrieve", "delete"]
EventOutcome = Literal["success", "refused", "failed"]


class Subject(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """A resource that was touched, and whose it is where the index knows."""

    level: str = ""
    id: str = msgspec.field(default="", name="ID")
    patient_id: str | None = msgspec.field(default=None, name="PatientID")
    study_uid: str | None = msgspec.field(default=None, name="StudyInstanceUID")


class Touched(msgspec.Struct):
    """What is known of a request before it is answered."""

    route: str
    publics: list[bytes]
    uids: list[str]
    subjects: list[Subject] | None


class Who(msgspec.Struct, frozen=True):
    """A caller, as far as the audit log names him."""

    origin: str
    user: str | None
    address: str | None
    aet: str | None
    called_aet: str | None


class Entry(msgspec.Struct, rename="pascal", omit_defaults=True, kw_only=True):
    """One line. `time` is in UTC; `status` is of HTTP or of DIMSE; `resources` are the first ones,
    `others` the number of those that are not listed; `instances` counts what was stored."""

    time: str
    event: Event
    outcome: EventOutcome
    origin: str
    user: str | None = None
    address: str | None = None
    aet: str | None = msgspec.field(default=None, name="AET")
    called_aet: str | None = msgspec.field(default=None, name="CalledAET")
    method: str = ""
    route: str = ""
    path: str = ""
    status: int | None = None
    resources: list[Subject] = []
    others: int = 0
    instances: int = 0
    query: dict[str, str] = {}
    lost: int = 0


@lru_cache(1024)
def who(caller: Caller) -> Who:
    return Who(
        caller.origin,
        caller.user or None,
        caller.address,
        caller.aet or None,
        caller.called_aet,
    )
