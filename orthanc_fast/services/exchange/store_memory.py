"""What a job that sends instances to another server remembers of its progress, and tells of what
failed. It goes on where it was when it is paused, or when its worker is killed."""

from typing import Any, Final

import msgspec

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import OrthancError
from orthanc_fast.services.exchange.instances import Outgoing

_FAILURES_TOLD: Final = 1000


class Failure(msgspec.Struct, omit_defaults=True):
    """An instance that was not sent, as the content of the job tells it."""

    ID: str
    ErrorCode: int
    ErrorDetails: str
    DimseErrorStatus: int | None = None


class StoreMemory(msgspec.Struct):
    """So many instances are done, and these that come after them; the numbers of those that failed,
    and what is told of the first of them."""

    done: int = 0
    early: set[int] = msgspec.field(default_factory=set)
    failed: list[int] = msgspec.field(default_factory=list)
    failures: list[tuple[int, Failure]] = msgspec.field(default_factory=list)

    def is_done(self, number: int) -> bool:
        return number < self.done or number in self.early

    def finish(self, number: int) -> None:
        """This one is done, in vain or not."""
        self.early.add(number)
        while self.done in self.early:
            self.early.remove(self.done)
            self.done += 1

    def fail(
        self, instance: Outgoing, error: OrthancError, dimse_status: int | None = None
    ) -> None:
        """This one was not sent."""
        self.failed.append(instance.number)
        if len(self.failures) < _FAILURES_TOLD:
            public, details = to_text(instance.public), error.details or ""
            failure = Failure(public, error.code, details, dimse_status)
            self.failures.append((instance.number, failure))

    def forget_undone(self) -> None:
        """What failed and is not done is tried again."""
        self.failed = [number for number in self.failed if self.is_done(number)]
        self.failures = [each for each in self.failures if self.is_done(each[0])]

    def told(self) -> dict[str, Any]:
        """The failures as clients see them in the content of the job."""
        failures = [failure for _, failure in self.failures]
        return {"FailedInstancesCount": len(self.failed), "FailedInstances": failures or None}


class SentMemory(StoreMemory):
    """And so many bytes have been sent, again ones too."""

    size: int = 0


encode_sent = msgspec.msgpack.Encoder().encode
decode_sent = msgspec.msgpack.Decoder(SentMemory).decode
