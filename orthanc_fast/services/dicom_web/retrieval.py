"""The instances of studies and series one after the other, as stored or in another transfer syntax,
for answers of any length.

Nothing but the order of one series is kept: records are read some at a time, files as far ahead as
the window of `archive.ordering` holds.

Source: reference chapter 5, sections 1.4 and 3; PS3.18, section 10.4.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from orthanc_fast.errors import BadRequest, NotImplementedYet, OrthancError
from orthanc_fast.imaging.registry import CODINGS
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import SHA1, Attachment, Caller, Level, Resource
from orthanc_fast.registries import TRANSFER_SYNTAX
from orthanc_fast.services.archive.ordering import WINDOW, Step, in_order
from orthanc_fast.services.attachments.reading import Contents, dicom_attachment
from orthanc_fast.services.dicom_web.file_steps import FileReader, Head, gathered, pieces
from orthanc_fast.services.dicom_web.targets import AT_ONCE, Targets
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.transcoding.transcode import Transcoded
from orthanc_fast.services.transcoding.transcoder import Transcoder
from orthanc_fast.storage.contract import MISSING_FILE
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE

_IN_TRANSCODERS: Final = WINDOW // 4  # so that no more than four files are there at a time
_EXPANSION: Final = 6  # of compressed pixels, as a rule


class Form(msgspec.Struct, frozen=True, gc=False):
    """The transfer syntax that files are sent in, None for that in which they are stored. Where it
    is not `is_required`, files that cannot have it are sent as they are stored."""

    syntax: str | None = None
    is_required: bool = True


AS_STORED: Final = Form()
# PS3.18, table 8.7.3-2: what clients get that name no transfer syntax.
DEFAULT: Final = Form(EXPLICIT_LITTLE, is_required=False)


class Retrieval:
    """Sends instances; one per process."""

    def __init__(
        self,
        reads: Reads,
        contents: Contents,
        transcoder: Transcoder,
        targets: Targets,
        files: FileReader,
        quality: int,
    ) -> None:
        """`quality` is that of lossy transfer syntaxes."""
        self._reads = reads
        self._contents = contents
        self._transcoder = transcoder
        self._targets = targets
        self._files = files
        self._quality = quality

    def keeps(self, instance: Resource, form: Form) -> bool:
        """Whether the instance is sent as it is stored, as far as the index can tell."""
        stored = instance.metadata.get(TRANSFER_SYNTAX)
        if form.syntax is None or stored == form.syntax:
            return True
        coding = CODINGS.get(stored or "")
        return not form.is_required and coding is not None and coding.codec is None

    async def one(self, instance: Resource, form: Form) -> bytes:
        """The file of an instance. Raises BadRequest with the status 406 where it cannot have the
        form, and as reading and transcoding do."""
        file = dicom_attachment(instance)
        if self.keeps(instance, form):
            return await self._contents.content(file)
        made = await self._transcoded(file, form)
        return await self._contents.content(file) if made is None else made.data

    async def stream(
        self, caller: Caller, found: Sequence[Resource], form: Form, head: Head
    ) -> AsyncGenerator[bytes]:
        """All instances at and below what `Targets.require` has found, by series and instance
        number. Raises as `one` does: one that has been deleted meanwhile is left out, one that
        cannot be sent ends the stream."""
        steps = self._steps(caller, found, form, head)
        async with aclosing(gathered(in_order(steps))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _steps(
        self, caller: Caller, found: Sequence[Resource], form: Form, head: Head
    ) -> AsyncGenerator[Step]:
        async for some in self._walk(caller, found):
            for instance in some:
                if not self.keeps(instance, form):
                    yield await self._transcoding(caller, instance, form, head)
                    continue
                try:
                    async for step in self._files.steps(dicom_attachment(instance), head):
                        yield step
                except OrthancError as error:
                    if not await self._is_gone(caller, instance, error):
                        raise

    async def _is_gone(self, caller: Caller, instance: Resource, error: OrthancError) -> bool:
        """Whether a file is missing because its instance has been deleted."""
        if error.code != MISSING_FILE:
            return False

        def is_there(view: Snapshot) -> bool:
            return view.exists(Level.INSTANCE, instance.public)

        return not await self._reads.run(self._reads, caller, is_there)

    # Transcoding

    async def _transcoding(
        self, caller: Caller, instance: Resource, form: Form, head: Head
    ) -> Step:
        """The step for a file whose bytes are all made at a time. Of large ones there is one at a
        time in memory."""
        file = dicom_attachment(instance)
        work = asyncio.ensure_future(self._content(caller, instance, form))
        if file.size * _EXPANSION >= WINDOW:
            await asyncio.wait([work])

        def emit(data: bytes | None) -> Iterator[bytes]:
            return iter(()) if data is None else pieces(head(len(data)), data)

        return Step(max(_IN_TRANSCODERS, file.size), work, emit)

    async def _content(self, caller: Caller, instance: Resource, form: Form) -> bytes | None:
        """None for an instance that has been deleted."""
        try:
            return await self.one(instance, form)
        except OrthancError as error:
            if not await self._is_gone(caller, instance, error):
                raise
            return None

    async def _transcoded(self, file: Attachment, form: Form) -> Transcoded | None:
        """None where the file is to be sent as it is stored."""
        assert form.syntax is not None
        try:
            return await self._transcoder.once(file, form.syntax, self._quality)
        except NotImplementedYet as error:
            if not form.is_required:
                return None
            raise BadRequest(
                f"An instance cannot be sent in this transfer syntax: {error.details}. Ask for "
                "transfer-syntax=* to get it as it is stored",
                http_status=406,
            ) from error

    # What is sent

    async def _walk(
        self, caller: Caller, found: Sequence[Resource]
    ) -> AsyncGenerator[list[Resource]]:
        """The instances in their order, some at a time. Only what takes long is done by a thread:
        each change to one costs as much as reading the records."""
        if found[0].level == Level.INSTANCE:
            yield list(found)
            return
        for series in await asyncio.to_thread(self._targets.series, caller, found):
            publics = await asyncio.to_thread(self._targets.ordered, caller, series)
            for start in range(0, len(publics), AT_ONCE * SHA1):
                part = publics[start : start + AT_ONCE * SHA1]
                yield await self._reads.run(self._targets.resources, caller, part)
