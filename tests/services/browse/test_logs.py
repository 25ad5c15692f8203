"""The log of changes and that of exports."""

from pathlib import Path

import pytest
from support import generated
from support.small_store import SmallStore

from orthanc_fast.errors import OrthancError, ReadOnly, UnknownResource
from orthanc_fast.model import Caller
from orthanc_fast.registries import NEW_STUDY
from orthanc_fast.services.attachments.parts import ContentParts
from orthanc_fast.services.browse.change_log import ChangeLog
from orthanc_fast.services.browse.exports import CANNOT_WRITE_FILE, Exports

NEW_STUDIES = frozenset({NEW_STUDY})


def change_log(store: SmallStore) -> ChangeLog:
    return ChangeLog(store.reads, store.writes, store.settings)


def exports(store: SmallStore) -> Exports:
    files = ContentParts(store.storage)
    return Exports(store.reads, store.writes, store.settings, files)


def test_pages_of_changes(small_store: SmallStore, caller: Caller) -> None:
    log = change_log(small_store)
    _, first, *_ = small_store.add(1, 1, 1, 1)
    _, second, *_ = small_store.add(1, 2, 1, 1)
    whole = log.page(caller, 0, -1, 100)
    assert [number for number, _ in whole.changes] == list(range(1, whole.last_allocated + 1))
    assert whole.done
    page = log.page(caller, 0, -1, 1, NEW_STUDIES)
    assert [change.public for _, change in page.changes] == [first]
    assert not page.done
    later = log.page(caller, page.changes[0][0], -1, 1, NEW_STUDIES)
    assert [change.public for _, change in later.changes] == [second]
    newest = log.newest(caller, NEW_STUDIES)
    assert newest.changes == later.changes
    assert newest.last_allocated == whole.last_allocated


def test_sequence_numbers_go_on(small_store: SmallStore, caller: Caller) -> None:
    log = change_log(small_store)
    small_store.add(1, 1, 1, 1)
    last = log.newest(caller).last_allocated
    small_store.run(log.clear(caller))
    assert log.page(caller, 0, -1, 100).changes == []
    small_store.add(1, 1, 1, 2)
    assert log.page(caller, 0, -1, 100).changes[0][0] == last + 1


def test_logs_of_a_read_only_server(read_only_store: SmallStore, caller: Caller) -> None:
    with pytest.raises(ReadOnly):
        read_only_store.run(change_log(read_only_store).clear(caller))
    with pytest.raises(ReadOnly):
        read_only_store.run(exports(read_only_store).clear(caller))


def test_an_instance_is_written_to_a_file(
    small_store: SmallStore, caller: Caller, tmp_path: Path
) -> None:
    *_, instance = small_store.add(1, 1, 1, 1)
    target = tmp_path / "there.dcm"
    target.write_bytes(b"what was there before" * 1000)
    small_store.run(exports(small_store).write_instance(caller, instance, target))
    assert target.read_bytes() == generated.small().number(1, 1, 1, 1)
    with pytest.raises(UnknownResource):
        small_store.run(exports(small_store).write_instance(caller, bytes(20), target))
    missing = tmp_path / "no folder" / "there.dcm"
    with pytest.raises(OrthancError) as error:
        small_store.run(exports(small_store).write_instance(caller, instance, missing))
    assert error.value.code == CANNOT_WRITE_FILE
