"""What becomes of an archive while it is made: deleted instances, lost files, one that is not taken
to its end; and what is under way at a time."""

import asyncio
import io
import time
import zipfile
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
from support import generated
from support.small_store import USER, SmallStore
from support.zip_readers import assert_readable

from orthanc_fast._ext.ids import to_text
from orthanc_fast.errors import InexistentItem, OrthancError, UnknownResource
from orthanc_fast.index.contract import Transaction
from orthanc_fast.model import Level, Outcome
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.archive import ordering, packing, stream
from orthanc_fast.services.archive.archives import Archives, Wish
from orthanc_fast.services.archive.ordering import Step, in_order
from orthanc_fast.storage.contract import MISSING_FILE

COUNT = 80  # more than are read with one call


@pytest.fixture
def archives(small_store: SmallStore) -> Iterator[Archives]:
    made = Archives(small_store.reads, small_store.storage, small_store.dictionary)
    yield made
    made.close()


@pytest.fixture
def publics(small_store: SmallStore) -> list[tuple[bytes, ...]]:
    return [small_store.add(1, 1, 1, number) for number in range(COUNT)]


def nothing(done: int) -> None:
    return


async def collected(chunks: AsyncGenerator[bytes], after_first: Callable[[], None]) -> bytes:
    parts = []
    async with aclosing(chunks):
        async for chunk in chunks:
            parts.append(chunk)
            if len(parts) == 1:
                await asyncio.to_thread(after_first)
    return b"".join(parts)


def of_patient(publics: list[tuple[bytes, ...]]) -> Wish:
    return Wish(resources=[to_text(publics[0][0])], level=Level.PATIENT)


def made(
    store: SmallStore,
    archives: Archives,
    publics: list[tuple[bytes, ...]],
    after_first: Callable[[], None] = lambda: None,
) -> bytes:
    """The archive of the patient."""

    async def work() -> bytes:
        planned = await asyncio.to_thread(archives.plan, USER, of_patient(publics))
        return await collected(archives.stream(planned, nothing), after_first)

    return store.run(work())


def names(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_whole(
    small_store: SmallStore, archives: Archives, publics: list[tuple[bytes, ...]]
) -> None:
    found = names(made(small_store, archives, publics))
    assert len(found) == COUNT
    assert found == sorted(found)


def test_what_is_deleted_meanwhile_is_left_out(
    small_store: SmallStore,
    archives: Archives,
    publics: list[tuple[bytes, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that has been read already, whose file is gone when its turn comes; and some that have
    not."""
    monkeypatch.setattr(ordering, "WINDOW", 1)
    monkeypatch.setattr(stream, "_TOGETHER", 1)
    gone = [publics[number][3] for number in (20, 70, 79)]

    def delete() -> None:
        for public in gone:
            outcome = small_store.index.write(partial(remove, public))
            small_store.storage.delete(outcome.doomed)

    def remove(public: bytes, transaction: Transaction) -> Outcome:
        return transaction.delete(Level.INSTANCE, public, 1)

    found = names(made(small_store, archives, publics, delete))
    assert len(found) == COUNT - len(gone)


def test_a_file_that_is_lost_ends_the_archive(
    small_store: SmallStore, archives: Archives, publics: list[tuple[bytes, ...]]
) -> None:
    lost = small_store.resource(Level.INSTANCE, publics[50][3])
    assert lost is not None
    small_store.storage.delete([lost.attachments[DICOM_ATTACHMENT].uuid])
    with pytest.raises(OrthancError) as raised:
        made(small_store, archives, publics)
    assert raised.value.code == MISSING_FILE


def test_members_in_parts(
    small_store: SmallStore,
    archives: Archives,
    publics: list[tuple[bytes, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every file is a large one here, of several parts."""
    monkeypatch.setattr(stream, "LARGE", 1)
    monkeypatch.setattr(packing, "PART", 3000)
    path = tmp_path / "parts.zip"
    path.write_bytes(made(small_store, archives, publics))
    assert len(assert_readable(path)) == COUNT
    expected = {generated.small().number(1, 1, 1, number) for number in range(COUNT)}
    with zipfile.ZipFile(path) as archive:
        assert {archive.read(name) for name in archive.namelist()} == expected


def test_unknown_resources(small_store: SmallStore, archives: Archives) -> None:
    nobody = to_text(bytes(20))
    with pytest.raises(InexistentItem, match="Missing resource while creating an archive: nobody"):
        archives.plan(USER, Wish(resources=["nobody"], level=Level.STUDY))
    for text in ("nobody", nobody):
        with pytest.raises(UnknownResource):
            archives.plan(USER, Wish(resources=[text]))


def test_no_more_is_under_way_than_the_window_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is done first, the order is that of the steps."""
    monkeypatch.setattr(ordering, "WINDOW", 10)
    begun = taken = 0
    most = 0

    async def steps() -> AsyncGenerator[Step]:
        nonlocal begun, most
        for number in range(50):
            begun += 3
            most = max(most, begun - taken)
            pause = 0.002 * (number % 3)
            work = asyncio.ensure_future(asyncio.sleep(pause, number))
            yield Step(3, work, lambda made: [b"%d " % made])

    async def work() -> bytes:
        nonlocal taken
        parts = []
        async for chunk in in_order(steps()):
            taken += 3
            parts.append(chunk)
        return b"".join(parts)

    assert asyncio.run(work()) == b"".join(b"%d " % number for number in range(50))
    assert most <= 10 + 2 * 3


def test_what_is_not_taken_to_its_end_leaves_nothing_behind(
    small_store: SmallStore, archives: Archives, publics: list[tuple[bytes, ...]]
) -> None:
    async def work() -> None:
        planned = await asyncio.to_thread(archives.plan, USER, of_patient(publics))
        chunks = archives.stream(planned, nothing)
        assert await anext(chunks)
        await chunks.aclose()
        end = time.monotonic() + 1
        while len(asyncio.all_tasks()) > 1:
            assert time.monotonic() < end
            await asyncio.sleep(0.01)

    small_store.run(work())
