"""What sends to a destination: one class for each kind of it."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import msgspec

from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Attachment, Resource
from orthanc_fast.services.exchange.instances import Outgoing, Presentation

ANSWER_TIMEOUT: Final = 10
"""Seconds that `Door.answers` waits at most."""


class Item(msgspec.Struct, frozen=True):
    """One instance on its way. `data` is the file as the rule has changed it, None where it goes as
    it is stored; `outgoing` describes what is sent."""

    rule: str
    instance: Resource
    outgoing: Outgoing
    file: Attachment
    data: Buffer | None = None

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.file.size if self.data is None else len(self.data)


class Refused(OrthancError):
    """The destination is there, and does not take this instance; or its file cannot be read. Other
    instances may fare better."""


class NotNow(OrthancError):
    """The destination is there, and takes nothing at present: it has no room, or is busy."""


class Hopeless(Refused):
    """This server cannot make of the instance what the rule wants, however often it tries."""


class Door(ABC):
    """The way to one destination, for the thread that sends to it."""

    @abstractmethod
    def send(self, item: Item) -> None:
        """Returns when the destination has confirmed the instance. Raises Refused, NotNow,
        Interrupted, or another OrthancError where the destination cannot be reached or breaks off;
        then what was open is closed."""

    @abstractmethod
    def close(self) -> None:
        """Nothing is sent for a while. The next `send` opens what it needs."""

    def answers(self) -> bool:
        """Whether the destination is there all the same when an instance could not be sent, asked
        by something that is no instance. Waits for some seconds at most. Raises Interrupted."""
        return False

    def expect(self, presentations: Sequence[Presentation]) -> None:
        """What will be sent, where that has to be negotiated."""
        return

    def sent_by(self, instance: Resource) -> bool:
        """Whether the instance came from this destination."""
        return False


class Interrupted(Exception):
    """The process is stopping: nobody waits for the destination any longer."""


class Stop:
    """Whether those who send are to end. `watch` raises Interrupted where they are not even to wait
    for an answer."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._is_soft = False

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        self._is_soft = False
        self._event.set()

    def set_softly(self) -> None:
        """What is being sent may be completed."""
        self._is_soft = not self._event.is_set()
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Whether it is, after so many seconds at most."""
        return self._event.wait(seconds)

    def watch(self) -> None:
        if self._event.is_set() and not self._is_soft:
            raise Interrupted
