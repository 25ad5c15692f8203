"""Data sets on their way into presentation contexts: as they are stored, or transcoded before their
turn comes. Files that go as they are stored are opened ahead, so that the system fetches them while
others are sent and answered. Source: reference chapter 4, sections 4.3 and 5.5."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import msgspec

from orthanc_fast._ext.scan import ScanError
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import Buffer, open_meta
from orthanc_fast.errors import BadFileFormat, InternalError, OrthancError, UnknownResource
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Attachment
from orthanc_fast.services.attachments.reading import content_of, opened
from orthanc_fast.services.exchange.instances import Outgoing, Presentation
from orthanc_fast.services.scu.contexts import Context
from orthanc_fast.storage.contract import Handle, Storage
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE

# What is transcoded before its turn comes.
_BYTES_AHEAD: Final = 64 << 20


class Ready(msgspec.Struct, frozen=True, gc=False):
    """A data set as it goes into a context."""

    context: Context
    sop_instance: str
    data_set: Buffer


class Sources(msgspec.Struct, frozen=True):
    """What data sets are made of: `quality` is that of lossy transfer syntaxes, `threads` how many
    are transcoded at the same time."""

    storage: Storage
    dictionary: Dictionary
    quality: int
    threads: int


Contexts = Callable[[Presentation], Sequence[Context]]
"""Where an instance may go now, in the order of preference."""


class Preparing:
    """Makes instances ready for one receiver; for one thread, and to be closed."""

    def __init__(self, sources: Sources, contexts: Contexts, aet: str) -> None:
        """`aet` is the receiver's AE title, for the log."""
        self._sources = sources
        self._contexts = contexts
        self._aet = aet
        self._handles: dict[int, Handle] = {}
        self._ahead: dict[int, Future[Ready]] = {}
        self._bytes_ahead = 0
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Waits for what is being transcoded, and forgets the rest."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        for handle in self._handles.values():
            handle.close()
        self._handles.clear()

    def looking_ahead(self, instances: Iterable[Outgoing]) -> Iterator[Outgoing]:
        """The same instances, while those that follow are made ready."""
        waiting: deque[Outgoing] = deque()
        for each in instances:
            waiting.append(each)
            if len(waiting) > self._sources.threads:
                self._begin(waiting)
                yield waiting.popleft()
        while waiting:
            self._begin(waiting)
            yield waiting.popleft()

    def looked_at(self, instance: Outgoing) -> Outgoing:
        """The same, in the transfer syntax in which its file can be read where nobody knows its
        own. Raises UnknownResource where it has no file."""
        if instance.file is None:
            raise UnknownResource("the instance has been deleted")
        if instance.transfer_syntax:
            return instance
        data = opened(self._sources.storage, instance.file)
        return msgspec.structs.replace(instance, transfer_syntax=encoding_of(data))

    def ready(self, instance: Outgoing, contexts: Sequence[Context]) -> Ready:
        """The data set of an instance that has a file, in one of these contexts; transcoded unless
        the first of them is as it is stored. Raises InternalError where it cannot be transcoded,
        and as reading the file does."""
        assert instance.file is not None
        handle = self._handles.pop(instance.number, None)
        if handle is not None:
            with handle:
                return self.made(instance, contexts, content_of(handle, instance.file))
        future = self._ahead.pop(instance.number, None)
        if future is None:
            return self.made(instance, contexts)
        self._bytes_ahead -= instance.file.size
        ready = future.result()
        if ready.context not in contexts:  # of an association that is no more
            ready = self.made(instance, contexts)
        return ready

    def _begin(self, instances: Iterable[Outgoing]) -> None:
        """Opens what goes as it is stored; begins to transcode what must be transcoded, as far as
        memory allows."""
        for each in instances:
            if each.file is None or each.number in self._ahead or each.number in self._handles:
                continue
            contexts = self._contexts(each.presentation)
            if not contexts:
                continue
            if contexts[0].transfer_syntax == each.transfer_syntax:
                with suppress(OrthancError):  # which is raised when its turn comes
                    self._handles[each.number] = self._opened(each.file)
                continue
            if self._bytes_ahead and self._bytes_ahead + each.file.size > _BYTES_AHEAD:
                break
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._sources.threads, "transcoder")
            self._bytes_ahead += each.file.size
            self._ahead[each.number] = self._pool.submit(self.made, each, contexts)

    def _opened(self, file: Attachment) -> Handle:
        handle = self._sources.storage.open(file.uuid)
        handle.will_need()
        return handle

    def made(
        self, instance: Outgoing, contexts: Sequence[Context], data: Buffer | None = None
    ) -> Ready:
        """As `ready`, now; `data` is the file, where it has been read already or is not stored."""
        if data is None:
            assert instance.file is not None
            data = opened(self._sources.storage, instance.file)
        if contexts[0].transfer_syntax == instance.transfer_syntax:
            return Ready(contexts[0], instance.sop_instance, data_set_of(data))
        return self._transcoded(instance, data, contexts)

    def _transcoded(self, instance: Outgoing, data: Buffer, contexts: Sequence[Context]) -> Ready:
        # The imaging room is large: only whoever transcodes loads it.
        from orthanc_fast.services.transcoding.transcode import transcode

        reasons = []
        for context in contexts:
            target = context.transfer_syntax
            try:
                made = transcode(data, target, self._sources.quality, self._sources.dictionary)
            except OrthancError as error:
                reasons.append(str(error))
                continue
            if made.is_lossy:
                logger.warning(
                    Category.DICOM,
                    f"An instance is sent with loss, as {made.sop_instance_uid}: {target} is what "
                    f'the modality with AET "{self._aet}" has accepted',
                )
            return Ready(context, made.sop_instance_uid, data_set_of(made.data))
        syntaxes = " ".join(context.transfer_syntax for context in contexts)
        raise InternalError(
            f"Cannot transcode instance of SOPClassUID {instance.sop_class} from "
            f"{instance.transfer_syntax} to one of [ {syntaxes} ]",
            private="; ".join(reasons),
        )


def encoding_of(file: Buffer) -> str:
    """The uncompressed transfer syntax in which a file can be read whose own one nobody knows."""
    opened_file = open_meta(file)
    if opened_file.big:
        return EXPLICIT_BIG
    return EXPLICIT_LITTLE if opened_file.explicit else IMPLICIT_LITTLE


def data_set_of(file: Buffer) -> Buffer:
    """What of a DICOM file is sent: all behind its meta information, a deflated data set as it
    is. Raises BadFileFormat."""
    try:
        return memoryview(file)[open_meta(file).start :]
    except ScanError as error:
        raise BadFileFormat("the DICOM file is damaged") from error
