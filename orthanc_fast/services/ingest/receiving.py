"""C-STORE: the data set on its way to the ingest. Source: reference chapter 4, section 2.

It is received behind a meta header into one buffer that the ingest gets as it is; a large one goes
on in a spool of the storage.
"""

import zlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from orthanc_fast._ext.pdata import PduReader, sop_uids
from orthanc_fast.config_plugins import Tenant
from orthanc_fast.dicom.file_meta import meta_header
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Caller
from orthanc_fast.services.ingest.contract import IngestRequest, Share, Spool
from orthanc_fast.services.store.writes import Promise
from orthanc_fast.transfer_syntaxes import SYNTAXES
from orthanc_fast.upper_layer import statuses
from orthanc_fast.upper_layer.pdu import title_text

FIRST_BUFFER = 1 << 16  # bytes
_GROWTH = 4
_SPILL_BUFFER = 1 << 20  # bytes written to the spool at once
_INFLATED_HEAD = 1 << 16  # bytes of a deflated data set in which the SOP UIDs are looked for


class InstanceSink(Protocol):
    """Where instances go: the ingest, or a test's sink."""

    def submit(self, request: IngestRequest, promise: Promise) -> None: ...
    def new_spool(self) -> Spool: ...


class Labelling:
    """A sink that gives what comes the labels of a tenant, whether or not it is there already."""

    def __init__(self, sink: InstanceSink, tenant: Tenant) -> None:
        self._sink = sink
        self._labels = dict.fromkeys(tenant.store_levels, tenant.labels)
        self.new_spool = sink.new_spool

    def submit(self, request: IngestRequest, promise: Promise) -> None:
        """As `Ingest.submit`."""
        labelled = msgspec.structs.replace(request, labels=self._labels, labels_known=True)
        self._sink.submit(labelled, promise)


class Buffers:
    """The receive buffers of one association, used again for the next instance: the slices of a
    series have one size, and fresh memory costs a page fault per 4 KB. What a buffer has grown is
    taken from `share`."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._free: list[bytearray] = []

    def take(self) -> bytearray:
        return self._free.pop() if self._free else bytearray(FIRST_BUFFER)

    def give(self, buffer: bytearray) -> None:
        """Takes a buffer back, unless somebody still looks into it."""
        try:
            buffer.append(buffer.pop())  # refused while there is a view
        except BufferError:
            self._share.give(max(len(buffer) - FIRST_BUFFER, 0))
            return
        self._free.append(buffer)

    def grown(self, buffer: bytearray, used: int) -> bytearray | None:
        """A larger buffer with the same first bytes in its place; None where all associations
        together have too much."""
        size = len(buffer) * _GROWTH
        if not self._share.take(size - len(buffer)):
            return None
        larger = bytearray(size)
        larger[:used] = memoryview(buffer)[:used]
        return larger

    def shrunk(self, buffer: bytearray) -> bytearray:
        """One that is no larger than what is written to a spool at once, in its place; with
        other bytes."""
        if len(buffer) <= _SPILL_BUFFER:
            return buffer
        self._share.give(len(buffer) - _SPILL_BUFFER)
        return bytearray(_SPILL_BUFFER)

    def close(self) -> None:
        """None of them is in use any longer."""
        self._free.clear()
        self._share.release()


class Incoming:
    """One instance on its way: the data set of one C-STORE-RQ."""

    def __init__(
        self,
        reader: PduReader,
        transfer_syntax: str,
        buffers: Buffers,
        memory: int,
        new_spool: Callable[[], Spool],
    ) -> None:
        """Reads the command from the reader, and gives it a buffer for the data set."""
        self.context_id = reader.context_id
        self.message_id = reader.message_id
        self.sop_class = reader.sop_class
        self.sop_instance = reader.sop_instance
        self.move_id = reader.move_id  # message ID of the C-MOVE that brings it, -1: of none
        self.move_aet = title_text(reader.move_aet) if self.move_id >= 0 else ""
        self.size = 0
        self.buffer = buffers.take()
        self._reader = reader
        self._buffers = buffers
        self._memory = memory
        self._new_spool = new_spool
        self._syntax = transfer_syntax
        self._spool: Spool | None = None
        self._error: OrthancError | None = None
        self._status: int | None = None
        header = meta_header(self.sop_class, self.sop_instance, transfer_syntax)
        self._start = len(header)
        self.buffer[: self._start] = header
        reader.accept(self.buffer, self._start)

    def make_room(self) -> None:
        """The buffer is full and the data set goes on."""
        used = self._reader.used
        self._reader.release()
        if self._spool is None and self._error is None:
            larger = None
            if len(self.buffer) * _GROWTH <= self._memory:
                larger = self._buffers.grown(self.buffer, used)
            if larger is not None:
                self.buffer = larger
                self._reader.accept(larger, used)
                return
            self._status = self._consistency(used)
            self._spill()
        self._write(memoryview(self.buffer)[:used])
        self.size += used
        self.buffer = self._buffers.shrunk(self.buffer)
        self._reader.accept(self.buffer, 0)

    def complete(self, caller: Caller) -> IngestRequest:
        """The whole instance is here. Raises OrthancError if it could not be kept, or
        StatusError if it is not what the command announced."""
        used = self._reader.used
        self.size += used
        if self._status is None:
            self._status = self._consistency(used)
        if self._spool is not None:
            self._write(memoryview(self.buffer)[:used])
        if self._error is not None:
            raise self._error
        if self._status != statuses.SUCCESS:
            raise statuses.StatusError(self._status)
        if self._spool is not None:
            spool, self._spool = self._spool, None
            return IngestRequest(caller=caller, data=spool)
        return IngestRequest(caller=caller, data=memoryview(self.buffer)[:used])

    def discard(self) -> None:
        """Leaves nothing behind; harmless after `complete` handed the instance over."""
        if self._spool is not None:
            self._spool.drop()
            self._spool = None

    def _consistency(self, used: int) -> int:
        view = memoryview(self.buffer)[:used]
        syntax = SYNTAXES[self._syntax]
        explicit, big = not syntax.is_implicit, syntax.is_big_endian
        if syntax.is_deflated:
            head = view[self._start : self._start + _INFLATED_HEAD]
            try:
                inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(head, _INFLATED_HEAD)
            except zlib.error:
                return statuses.CANNOT_UNDERSTAND
            found = sop_uids(inflated, 0, explicit, big)
        else:
            found = sop_uids(view, self._start, explicit, big)
        return statuses.consistency_status((self.sop_class, self.sop_instance), found)

    def _spill(self) -> None:
        try:
            self._spool = self._new_spool()
        except OrthancError as error:
            self._error = error

    def _write(self, data: memoryview) -> None:
        if self._spool is None:
            return  # failed before: the rest of the data set is only read
        try:
            self._spool.write(data)
        except OrthancError as error:
            self._error = error
            self._spool = None
