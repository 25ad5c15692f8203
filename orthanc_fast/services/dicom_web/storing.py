"""STOW-RS: the instances of one request on their way into the store, and what became of each.

Source: PS3.18, section 10.5; reference chapter 5, section 8.
"""

import asyncio
from collections import deque
from typing import Final, NamedTuple

import msgspec

from orthanc_fast.errors import (
    BadFileFormat,
    BadRequest,
    FullStorage,
    LacksIdentifier,
    OrthancError,
)
from orthanc_fast.model import Caller, Header
from orthanc_fast.services.ingest.contract import IngestRequest, Share
from orthanc_fast.services.ingest.ingest import Ingest
from orthanc_fast.services.ingest.uploads import Body

# Failure reasons: PS3.18, table I.2-2, as the plugin gives them.
PROCESSING_FAILURE: Final = 0x0110
OUT_OF_RESOURCES: Final = 0xA700
CANNOT_UNDERSTAND: Final = 0xC000

FULL: Final = 507  # the HTTP status of a store without room

# Instances that wait for the disk together, hence in memory at the same time.
_PENDING: Final = 32
_PENDING_BYTES: Final = 32 << 20
# Parts that are no instances: their number costs a client nothing.
_MAXIMUM_OTHERS: Final = 10_000


class Reference(NamedTuple):
    """An instance that is in the store; `warning` is a reason, 0 for none."""

    sop_class: str
    sop_uid: str
    study: str
    series: str
    warning: int = 0


class Failure(NamedTuple):
    """One that is not. Without the UIDs of class and instance it is not known to be one at all."""

    reason: int
    sop_class: str = ""
    sop_uid: str = ""
    is_conflict: bool = False  # it belongs to another study than that of the request
    http_status: int = 400  # of the error

    @property
    def is_named(self) -> bool:
        return bool(self.sop_class and self.sop_uid)


_Pending = Failure | asyncio.Task[Reference | Failure]


class Report:
    """What became of the instances of one request, in their order."""

    def __init__(self) -> None:
        self.stored: list[Reference] = []
        self.failed: list[Failure] = []
        self.study: str | None = None  # that of the first instance which could be read

    @property
    def status(self) -> int:
        """That of the answer: PS3.18, table 10.5.3-1."""
        if not self.failed:
            return 200
        if self.stored:
            return 202
        if any(each.is_conflict for each in self.failed):
            return 409
        return max(each.http_status for each in self.failed)


class Storing:
    """The instances of one request: several at a time are under way, so that one commit takes them
    together."""

    def __init__(self, ingest: Ingest, caller: Caller, study: str | None = None) -> None:
        """Only instances of the `study`, if there is one, are stored."""
        self._ingest = ingest
        # The origin that the plugin's instances have.
        self._caller = msgspec.structs.replace(caller, origin="Plugins")
        self._study = study
        self._pending: deque[tuple[int, _Pending]] = deque()
        self._bytes = 0  # of those in memory
        self._others = 0
        self._texts: dict[str, str] = {}
        self._report = Report()

    async def add(self, data: Body, share: Share, warning: int = 0) -> None:
        """Stores the next instance; returns when there is room for another one. Its spool belongs
        to this method, as the `share` of memory that it has; `warning` is told if it is stored.
        Raises BadRequest as `refuse`."""
        size = len(data) if isinstance(data, bytes) else 0
        self._bytes += size
        self._pending.append((size, asyncio.create_task(self._one(data, share, warning))))
        while len(self._pending) >= _PENDING or self._bytes > _PENDING_BYTES:
            await self._settle()
        self._check_others()

    def fail(self, sop_class: str, sop_uid: str) -> None:
        """The next instance, which has these UIDs, could not be made. Raises as
        `refuse`."""
        self._others += not (sop_class and sop_uid)
        self._check_others()
        self._pending.append((0, Failure(CANNOT_UNDERSTAND, sop_class, sop_uid)))

    def refuse(self, reason: int = CANNOT_UNDERSTAND) -> None:
        """The next part is no instance, or could not be taken in. Raises BadRequest where there
        are too many such."""
        self._others += 1
        self._check_others()
        status = FULL if reason == OUT_OF_RESOURCES else 400
        self._pending.append((0, Failure(reason, http_status=status)))

    def _check_others(self) -> None:
        if self._others > _MAXIMUM_OTHERS:
            raise BadRequest(f"More than {_MAXIMUM_OTHERS} parts of the body are no instances")

    async def report(self) -> Report:
        """What became of all of them, once they are durable."""
        while self._pending:
            await self._settle()
        return self._report

    async def close(self) -> None:
        """Waits for what is under way, and forgets what became of it."""
        tasks = [each for _, each in self._pending if isinstance(each, asyncio.Task)]
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pending.clear()

    async def _settle(self) -> None:
        size, pending = self._pending.popleft()
        outcome = await pending if isinstance(pending, asyncio.Task) else pending
        self._bytes -= size
        if isinstance(outcome, Failure):
            self._others += isinstance(pending, asyncio.Task) and not outcome.is_named
            self._report.failed.append(outcome)
        else:
            self._report.stored.append(outcome)

    async def _one(self, data: Body, share: Share, warning: int) -> Reference | Failure:
        judge = _Judge(self._study)
        request = IngestRequest(caller=self._caller, data=data, examine=judge.examine)
        try:
            stored = await self._ingest.store(request)
        except OrthancError as error:
            return self._failure(error, judge.header)
        finally:
            share.release()
        header = judge.header
        if header is None:
            return Failure(PROCESSING_FAILURE)  # discarded before anybody looked into it
        self._name_study(header.study_uid)
        if stored.status == "FilteredOut":
            return Failure(PROCESSING_FAILURE, header.sop_class or "", header.sop_uid)
        share_text = self._texts.setdefault
        sop_class, study = header.sop_class or "", header.study_uid
        return Reference(
            share_text(sop_class, sop_class),
            header.sop_uid,
            share_text(study, study),
            share_text(header.series_uid, header.series_uid),
            warning,
        )

    def _failure(self, error: OrthancError, header: Header | None) -> Failure:
        sop_class = sop_uid = ""
        if isinstance(error, LacksIdentifier):
            sop_class, sop_uid = error.sop_class, error.sop_uid
        elif header is not None:
            sop_class, sop_uid = header.sop_class or "", header.sop_uid
        is_conflict = isinstance(error, _OtherStudy)
        if header is not None and not is_conflict:
            self._name_study(header.study_uid)
        return Failure(
            _reason(error, header),
            sop_class,
            sop_uid,
            is_conflict,
            error.http_status if error.http_status >= 500 else 400,
        )

    def _name_study(self, uid: str) -> None:
        if self._report.study is None:
            self._report.study = uid


class _OtherStudy(BadRequest):
    """An instance of another study than that of the request."""


class _Judge:
    """Keeps what is known of one instance, and refuses what must not be stored."""

    __slots__ = ("_study", "header")

    def __init__(self, study: str | None) -> None:
        self._study = study
        self.header: Header | None = None

    def examine(self, header: Header) -> None:
        if not header.sop_class:
            raise BadFileFormat("the file lacks SOPClassUID")
        self.header = header
        if self._study is not None and header.study_uid != self._study:
            raise _OtherStudy(f"the instance belongs to the study {header.study_uid}")


def _reason(error: OrthancError, header: Header | None) -> int:
    if isinstance(error, FullStorage):
        return OUT_OF_RESOURCES
    return CANNOT_UNDERSTAND if header is None else PROCESSING_FAILURE
