"""The stages of the ingest: who may take part in them, in which order, and what is set at once."""

import asyncio
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest
import xxhash
from support import generated
from support.snapshots import reading

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import BadFileFormat, OrthancError, ParameterOutOfRange
from orthanc_fast.log import logger
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT, MODIFIED_FROM, ORIGIN, REMOTE_AET
from orthanc_fast.services.ingest import ingest
from orthanc_fast.services.ingest.contract import IngestRequest, Stored
from orthanc_fast.services.ingest.hooks import Candidate, Decision
from orthanc_fast.services.ingest.write import StoreWrite
from orthanc_fast.services.processes.resources import ResourceServices
from orthanc_fast.services.transcoding import arriving
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.storage.contract import Content
from orthanc_fast.transfer_syntaxes import DEFLATED

JOB = Caller(origin="Unknown", user="someone")
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
USER_NUMBER = 1024
CT = generated.ct_slice()


class Place:
    """A store in a folder, used by threads as a DICOM worker does."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop | None, **given: Any) -> None:
        settings = Settings(
            storage_directory=folder, index_directory=folder, index_map_size_gb=1, **given
        )
        self.services = ResourceServices(settings, "test", loop)
        self.hooks = self.services.ingest.hooks

    def store(self, data: bytes, **given: Any) -> Stored:
        promise: Future[Stored] = Future()
        self.services.ingest.submit(IngestRequest(caller=JOB, data=data, **given), promise)
        return promise.result(30)

    def spilled(self, data: bytes) -> Stored:
        promise: Future[Stored] = Future()
        with self.services.ingest.new_spool() as spool:
            spool.write(data)
            self.services.ingest.submit(IngestRequest(caller=JOB, data=spool), promise)
        return promise.result(30)

    def resource(self, stored: Stored, level: Level = Level.INSTANCE) -> Resource:
        with reading(self.services.index) as view:
            found = view.resource(level, stored.publics[level])
        assert found is not None
        return found

    def content(self, stored: Stored) -> bytes:
        attachment = self.resource(stored).attachments[DICOM_ATTACHMENT]
        return self.services.contents.content_now(attachment)

    def count(self) -> int:
        with reading(self.services.index) as view:
            return view.totals().resources[Level.INSTANCE]

    def leftovers(self) -> list[Path]:
        return list((self.services.settings.storage_directory / "incoming").glob("*/*"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, None)
    yield made
    made.services.close()


def test_the_caller_becomes_metadata(place: Place) -> None:
    caller = Caller(origin="DicomProtocol", address="10.0.0.1", aet="CT1", called_aet="US")
    promise: Future[Stored] = Future()
    data = CT.number(1, 1, 1, 1)
    place.services.ingest.submit(IngestRequest(caller=caller, data=data), promise)
    stored = promise.result(30)
    metadata = place.resource(stored).metadata
    assert (metadata[ORIGIN], metadata[REMOTE_AET]) == ("DicomProtocol", "CT1")
    assert place.resource(stored, Level.SERIES).metadata[REMOTE_AET] == "CT1"


def test_metadata_and_labels_are_set_with_the_instance(place: Place) -> None:
    first = place.store(CT.number(1, 1, 1, 1))
    source = to_text(first.publics[Level.STUDY])
    wanted = {
        "metadata": {
            Level.STUDY: {MODIFIED_FROM: source, USER_NUMBER: "grün"},
            Level.INSTANCE: {MODIFIED_FROM: to_text(first.publics[Level.INSTANCE])},
        },
        "labels": {Level.STUDY: ["mine", "yours"], Level.PATIENT: ["mine"]},
    }
    second = place.store(CT.number(1, 1, 2, 1), **wanted)
    study = place.resource(second, Level.STUDY)  # was there already
    assert study.metadata[MODIFIED_FROM] == source
    assert study.user_metadata == {USER_NUMBER: "grün".encode()}
    assert sorted(study.labels) == ["mine", "yours"]
    assert place.resource(second, Level.PATIENT).labels == ["mine"]
    instance = place.resource(second)
    assert instance.metadata[MODIFIED_FROM] == to_text(first.publics[Level.INSTANCE])
    assert place.resource(second, Level.SERIES).labels == []
    with reading(place.services.index) as view:
        assert view.labels_in_use() == ["mine", "yours"]  # searches see them too


def test_nothing_is_set_where_nothing_is_stored(place: Place) -> None:
    data = CT.number(1, 1, 1, 1)
    place.store(data)
    again = place.store(data, labels={Level.STUDY: ["late"]})
    assert again.status == "AlreadyStored"
    assert place.resource(again, Level.STUDY).labels == []


@pytest.mark.parametrize("overwrite", ["Never", "IfChanged", "Always"])
def test_labels_of_what_is_known_are_set_if_that_is_wanted(place: Place, overwrite: str) -> None:
    data = CT.number(1, 1, 1, 1)
    place.store(data)
    labels = {Level.STUDY: ["late"], Level.INSTANCE: ["late"]}
    again = place.store(data, labels=labels, labels_known=True, overwrite=overwrite)
    assert again.status == ("Success" if overwrite == "Always" else "AlreadyStored")
    found = {level: place.resource(again, level).labels for level in Level}
    assert found == {level: labels.get(level, []) for level in Level}
    assert place.count() == 1
    assert place.leftovers() == []


def test_the_rule_of_one_call(place: Place) -> None:
    data = CT.number(1, 1, 1, 1)
    before = place.resource(place.store(data)).attachments[DICOM_ATTACHMENT].uuid
    assert place.store(data).status == "AlreadyStored"
    assert place.store(data, overwrite="IfChanged").status == "AlreadyStored"
    replaced = place.store(data, overwrite="Always")
    assert replaced.status == "Success"
    assert place.resource(replaced).attachments[DICOM_ATTACHMENT].uuid != before
    changed = data[:-2] + b"\1\1"
    assert place.store(changed, overwrite="IfChanged").status == "Success"
    assert place.content(replaced) == changed
    assert place.count() == 1


def test_a_receiver_sees_bytes_and_may_replace_them(place: Place) -> None:
    original, other = CT.number(1, 1, 1, 1), CT.number(1, 1, 1, 2)
    seen: list[tuple[bytes, Caller]] = []

    def receiver(content: Content, caller: Caller) -> Decision | bytes:
        seen.append((bytes(content), caller))
        return other if len(seen) == 1 else Decision.KEEP

    place.hooks.receivers += [receiver, receiver]
    stored = place.spilled(original)
    assert seen == [(original, JOB), (other, JOB)]
    assert place.content(stored) == other
    assert place.leftovers() == []


def test_a_receiver_may_discard(place: Place) -> None:
    place.hooks.receivers.append(lambda content, caller: Decision.DISCARD)
    data = CT.number(1, 1, 1, 1)
    stored = place.spilled(data)
    assert stored.status == "FilteredOut"
    with pytest.raises(BadFileFormat):
        place.spilled(b"not even DICOM")
    assert (place.count(), place.leftovers()) == (0, [])
    place.hooks.receivers.clear()
    assert stored.publics == (*place.store(data).publics[:3], b"")


def test_filters_keep_or_discard_by_header_and_caller(place: Place) -> None:
    asked: list[Candidate] = []

    def only_one_patient(candidate: Candidate) -> bool:
        asked.append(candidate)
        return candidate.header.patient_id.endswith("1")

    place.hooks.filters.append(only_one_patient)
    kept, out = place.store(CT.number(1, 1, 1, 1)), place.spilled(CT.number(2, 1, 1, 1))
    assert (kept.status, out.status) == ("Success", "FilteredOut")
    assert out.publics[Level.INSTANCE] != kept.publics[Level.INSTANCE]
    assert [each.caller for each in asked] == [JOB, JOB]
    assert (place.count(), place.leftovers()) == (1, [])
    assert place.store(CT.number(1, 1, 1, 1)).status == "AlreadyStored"
    assert len(asked) == 2  # of what is there nobody is asked


def test_what_a_filter_raises_refuses_the_file(place: Place) -> None:
    def refuses(candidate: Candidate) -> bool:
        raise ParameterOutOfRange("no")

    place.hooks.filters.append(refuses)
    with pytest.raises(ParameterOutOfRange):
        place.spilled(CT.number(1, 1, 1, 1))
    assert (place.count(), place.leftovers()) == (0, [])


def test_announcements_come_when_it_is_durable_and_before_the_answer(place: Place) -> None:
    heard: list[tuple[Stored, Caller, bool]] = []

    def fails(stored: Stored, caller: Caller) -> None:
        raise OrthancError("an announcement of the test")

    def hears(stored: Stored, caller: Caller) -> None:
        with reading(place.services.index) as view:
            is_there = view.exists(Level.INSTANCE, stored.publics[Level.INSTANCE])
        heard.append((stored, caller, is_there))

    place.hooks.announcements += [fails, hears]
    stored = place.store(CT.number(1, 1, 1, 1))
    assert heard == [(stored, JOB, True)]
    assert place.store(CT.number(1, 1, 1, 1)).status == "AlreadyStored"
    with pytest.raises(BadFileFormat):
        place.store(b"no")
    assert len(heard) == 1


def test_one_implementation_serves_an_event_loop(tmp_path: Path) -> None:
    async def work() -> None:
        place = Place(tmp_path, asyncio.get_running_loop())
        data, threads = CT.number(1, 1, 1, 1), []

        async def store(data: bytes) -> Stored:
            return await place.services.ingest.store(IngestRequest(caller=JOB, data=data))

        assert (await store(data)).status == "Success"  # a short one: in the loop itself

        def keeps(candidate: Candidate) -> bool:
            threads.append(threading.current_thread())
            return candidate.header.patient_id.endswith("2")

        place.hooks.filters.append(keeps)
        place.hooks.announcements.append(
            lambda stored, caller: threads.append(threading.current_thread())
        )
        assert (await store(CT.number(2, 1, 1, 1))).status == "Success"
        assert (await store(CT.number(3, 1, 1, 1))).status == "FilteredOut"
        with pytest.raises(BadFileFormat):
            await store(b"no")
        assert len(threads) == 3
        assert threading.main_thread() not in threads  # what may wait is not for the loop
        await asyncio.to_thread(place.services.close)

    asyncio.run(work())


class Scripted:
    """Scripts that hear of a file only when all others have: the event loop must not wait."""

    may_refuse = True

    def __init__(self, count: int, given: bytes | None = None) -> None:
        self._together = asyncio.Barrier(count)
        self._given = given
        self.seen: list[tuple[str, bool, bool]] = []

    def _note(self, what: str, in_loop: bool) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        self.seen.append((what, in_loop, is_main))

    async def receive(self, content: Content, caller: Caller, in_loop: bool) -> Decision | bytes:
        self._note("receive", in_loop)
        if in_loop:
            await self._together.wait()
        return Decision.KEEP if self._given is None else self._given

    async def keeps(self, candidate: Candidate, in_loop: bool) -> bool:
        self._note("keeps", in_loop)
        if in_loop:
            await self._together.wait()
        return candidate.header.patient_id.endswith("2")


def test_scripts_are_asked_by_the_event_loop(tmp_path: Path) -> None:
    async def work() -> None:
        place = Place(tmp_path, asyncio.get_running_loop())
        scripts = place.hooks.scripts = Scripted(3)
        files = [CT.number(number, 1, 1, number) for number in (1, 2, 3)]
        requests = [IngestRequest(caller=JOB, data=data) for data in files]
        stored = await asyncio.gather(*map(place.services.ingest.store, requests))
        assert [each.status for each in stored] == ["FilteredOut", "Success", "FilteredOut"]
        assert scripts.seen == [("receive", True, True)] * 3 + [("keeps", True, True)] * 3
        await asyncio.to_thread(place.services.close)

    asyncio.run(work())


def test_large_files_and_threads_wait_for_scripts_themselves(tmp_path: Path) -> None:
    async def work() -> None:
        place = Place(tmp_path, asyncio.get_running_loop())
        scripts = place.hooks.scripts = Scripted(1)
        large = CT.number(2, 1, 1, 1) + bytes(ingest.QUICK_SCRIPTED)
        await place.services.ingest.store(IngestRequest(caller=JOB, data=large))
        request = IngestRequest(caller=JOB, data=CT.number(2, 1, 1, 2))
        prepared = await asyncio.to_thread(place.services.ingest.prepare, request)
        assert isinstance(prepared, StoreWrite)
        prepared.withdraw()
        assert scripts.seen == [("receive", False, False), ("keeps", False, False)] * 2
        await asyncio.to_thread(place.services.close)

    asyncio.run(work())


def test_deflated_bytes_of_a_script_are_examined_in_a_thread(tmp_path: Path) -> None:
    async def work() -> None:
        place = Place(tmp_path, asyncio.get_running_loop())
        deflated = transcode(CT.number(2, 1, 1, 2), DEFLATED, 90, Dictionary({}, False)).data
        scripts = place.hooks.scripts = Scripted(1, deflated)
        stored = await place.services.ingest.store(
            IngestRequest(caller=JOB, data=CT.number(2, 1, 1, 1))
        )
        assert stored.status == "Success"
        assert place.content(stored) == deflated
        assert scripts.seen == [("receive", True, True), ("keeps", False, False)]
        await asyncio.to_thread(place.services.close)

    asyncio.run(work())


@pytest.mark.parametrize("spilled", [False, True])
def test_compressed_files_hold_what_came(tmp_path: Path, spilled: bool) -> None:
    place = Place(tmp_path, None, storage_compression=True)
    data = CT.number(1, 1, 1, 1)
    stored = place.spilled(data) if spilled else place.store(data)
    attachment = place.resource(stored).attachments[DICOM_ATTACHMENT]
    assert attachment.compressed
    assert attachment.size == len(data) > attachment.stored_size
    assert attachment.digest == xxhash.xxh3_128_digest(data)
    raw = place.services.storage.read(attachment.uuid)
    assert len(raw) == attachment.stored_size
    assert int.from_bytes(raw[:8], "little") == len(data)
    assert zlib.decompress(raw[8:]) == data  # as Orthanc reads it
    assert place.leftovers() == []
    place.services.close()


def test_what_cannot_be_transcoded_is_stored_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(logger, "warning", lambda category, text: warnings.append(text))
    place = Place(tmp_path, None, ingest_transcoding=JPEG_LOSSLESS)
    data = CT.number(1, 1, 1, 1)
    rows = b"\x28\0\x10\0US\2\0"
    short = data.replace(rows + b"\0\2", rows + b"\0\4")  # half the pixels that are announced
    assert short != data
    stored = place.spilled(short)
    assert place.content(stored) == short
    assert len(warnings) == 1
    assert "without transcoding" in warnings[0]
    good = place.spilled(CT.number(1, 1, 1, 2))
    metadata = place.resource(good).metadata
    assert JPEG_LOSSLESS in metadata.values()
    assert place.leftovers() == []
    place.services.close()


@pytest.mark.parametrize("error", [ValueError("odd"), MemoryError(), RuntimeError("a codec")])
def test_whatever_a_codec_fails_with_the_file_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*given: Any) -> None:
        raise error

    warnings: list[str] = []
    monkeypatch.setattr(logger, "warning", lambda category, text: warnings.append(text))
    monkeypatch.setattr(arriving, "transcode", failing)
    place = Place(tmp_path, None, ingest_transcoding=JPEG_LOSSLESS)
    data = CT.number(1, 1, 1, 1)
    stored = place.store(data)
    assert place.content(stored) == data
    reason = str(error) or "MemoryError"
    assert warnings == [f"An instance is stored without transcoding: {reason}"]
    place.services.close()


def test_nothing_stays_of_a_file_whose_head_cannot_be_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*given: Any) -> None:
        raise MemoryError

    place = Place(tmp_path, None, storage_compression=True)
    monkeypatch.setattr(ingest, "from_memory", failing)
    with pytest.raises(MemoryError):
        place.spilled(CT.number(1, 1, 1, 1))
    assert place.leftovers() == []
    place.services.close()


def test_nothing_stays_of_a_file_that_comes_when_the_server_stops(tmp_path: Path) -> None:
    place = Place(tmp_path, None)
    place.services.writer.stop()
    with pytest.raises(RuntimeError, match="stopping"):
        place.spilled(CT.number(1, 1, 1, 1))
    assert place.leftovers() == []
    place.services.close()


def test_requests_are_values() -> None:
    request = IngestRequest(caller=JOB, data=b"x")
    with pytest.raises(AttributeError):
        request.data = b"y"  # type: ignore[misc]
    assert msgspec.structs.replace(request, overwrite="Always").overwrite == "Always"
