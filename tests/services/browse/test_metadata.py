"""Metadata: values, their versions, and who may change them."""

from pathlib import Path

import pytest
from support.small_store import SmallStore

from orthanc_fast.errors import ReadOnly, Revision, UnknownResource
from orthanc_fast.model import Caller, Level
from orthanc_fast.registries import LAST_UPDATE, MAIN_DICOM_TAGS_SIGNATURE, ORIGIN
from orthanc_fast.services.browse.metadata import Metadata
from orthanc_fast.services.store.revisions import Version

NUMBER = 1024
ABC = "900150983cd24fb0d6963f7d28e17f72"  # the MD5 of "abc": RFC 1321, appendix A.5


@pytest.fixture
def metadata(small_store: SmallStore) -> Metadata:
    return Metadata(small_store.reads, small_store.writes, small_store.settings)


def test_a_value_and_its_versions(
    small_store: SmallStore, metadata: Metadata, caller: Caller
) -> None:
    _, study, *_ = small_store.add(1, 1, 1, 1)
    assert metadata.value(caller, Level.STUDY, study, NUMBER) is None
    version = small_store.run(metadata.put(caller, study, NUMBER, b"abc", None))
    assert version == Version(0, ABC)
    assert metadata.value(caller, Level.STUDY, study, NUMBER) == (b"abc", version)
    second = small_store.run(metadata.put(caller, study, NUMBER, b"\xff", version))
    assert second.revision == 1
    with pytest.raises(Revision):
        small_store.run(metadata.put(caller, study, NUMBER, b"late", version))
    assert metadata.texts(caller, Level.STUDY, study)[NUMBER] == "\ufffd"
    small_store.run(metadata.delete(caller, study, NUMBER, second))
    assert metadata.value(caller, Level.STUDY, study, NUMBER) is None
    with pytest.raises(UnknownResource):
        small_store.run(metadata.delete(caller, study, NUMBER, None))


def test_what_the_server_knows(small_store: SmallStore, metadata: Metadata, caller: Caller) -> None:
    _, study, _, instance = small_store.add(1, 1, 1, 1)
    assert metadata.texts(caller, Level.INSTANCE, instance)[ORIGIN] == "RestApi"
    found = metadata.texts(caller, Level.STUDY, study)
    assert list(found) == sorted(found)
    assert {LAST_UPDATE, MAIN_DICOM_TAGS_SIGNATURE} <= set(found)
    with pytest.raises(UnknownResource):
        metadata.texts(caller, Level.SERIES, study)


def test_versions_are_demanded(tmp_path: Path, caller: Caller) -> None:
    store = SmallStore(tmp_path, check_revisions=True)
    try:
        metadata = Metadata(store.reads, store.writes, store.settings)
        _, study, *_ = store.add(1, 1, 1, 1)
        version = store.run(metadata.put(caller, study, NUMBER, b"abc", None))  # there was none
        with pytest.raises(Revision):
            store.run(metadata.put(caller, study, NUMBER, b"def", None))
        store.run(metadata.put(caller, study, NUMBER, b"def", version))
    finally:
        store.close()


def test_read_only(read_only_store: SmallStore, caller: Caller) -> None:
    metadata = Metadata(read_only_store.reads, read_only_store.writes, read_only_store.settings)
    with pytest.raises(ReadOnly):
        read_only_store.run(metadata.put(caller, bytes(20), NUMBER, b"abc", None))
    with pytest.raises(ReadOnly):
        read_only_store.run(metadata.delete(caller, bytes(20), NUMBER, None))
