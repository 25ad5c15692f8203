"""How resources are shown, with tags of their files."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from support.small_store import SmallStore

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.browse.describe import Describer
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.browse.metadata_names import MetadataNames
from orthanc_fast.services.find.content import Presentation, Presenter, ResponseContent
from orthanc_fast.services.find.facts import FileElement, FileReader
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.query import Tags
from orthanc_fast.services.find.requested import RequestedTags

T = TypeVar("T")

ROWS = 0x00280010
STUDY_UID = 0x0020000D


def file_reader(store: SmallStore) -> FileReader:
    contents = Contents(store.storage)
    return FileReader(InstanceTags(store.reads, contents, store.dictionary, lambda: "Latin1"))


def presenter_of(store: SmallStore, files: FileReader) -> Presenter:
    return Presenter(store.reads, Describer(store.dictionary), MetadataNames({}), files)


def requested(store: SmallStore, level: Level, *tags: int) -> RequestedTags:
    return RequestedTags(tags, level, Tags(store.dictionary, store.main_tags), FindOptions())


def test_resources_in_the_given_order(small_store: SmallStore, caller: Caller) -> None:
    instances = [small_store.add(1, 1, 1, number)[3] for number in (3, 1, 2)]
    presenter = presenter_of(small_store, file_reader(small_store))
    packed = b"".join([instances[1], bytes(20), instances[0]])  # one of them is gone
    shown = presenter.show(caller, Level.INSTANCE, packed, Presentation())
    assert [each.ID for each in shown] == [to_text(instances[1]), to_text(instances[0])]


def test_groups(small_store: SmallStore, caller: Caller) -> None:
    patient, study, series, _ = small_store.add(1, 1, 1, 1)
    presenter = presenter_of(small_store, file_reader(small_store))
    how = Presentation(content=ResponseContent.Parent | ResponseContent.Children)
    assert presenter.show(caller, Level.STUDY, study, how) == [
        {
            "ID": to_text(study),
            "Type": "Study",
            "ParentPatient": to_text(patient),
            "Series": [to_text(series)],
        }
    ]


def test_resources_of_any_level(small_store: SmallStore, caller: Caller) -> None:
    publics = small_store.add(1, 1, 1, 1)
    presenter = presenter_of(small_store, file_reader(small_store))
    shown = presenter.show_listed(caller, [*publics, bytes(20), b""], Presentation(metadata=True))
    assert [each["Type"] for each in shown] == ["Patient", "Study", "Series", "Instance"]
    assert shown[3]["Metadata"]["Origin"] == "RestApi"


def test_tags_of_files(small_store: SmallStore, caller: Caller) -> None:
    _, study, _, instance = small_store.add(1, 1, 1, 1)
    presenter = presenter_of(small_store, file_reader(small_store))
    how = Presentation("short", None, requested(small_store, Level.INSTANCE, ROWS, STUDY_UID))
    assert how.reads_files
    shown = small_store.run(presenter.shown(caller, Level.INSTANCE, instance, how))
    record = small_store.resource(Level.STUDY, study)
    assert record is not None
    found = shown[0]["RequestedTags"]
    assert found["0020,000d"] == record.tags[STUDY_UID]
    assert int(found["0028,0010"]) > 0


def test_no_snapshot_is_open_while_files_are_read(
    small_store: SmallStore, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, instance = small_store.add(1, 1, 1, 1)
    opened, read = [], small_store.index.read

    def counted(function: Callable[[Snapshot], T]) -> T:
        opened.append(function)
        try:
            return read(function)
        finally:
            opened.pop()

    class Watched(FileReader):
        def read(self, instance: Resource, tags: frozenset[int]) -> dict[int, FileElement]:
            looked_at.append(len(opened))
            return super().read(instance, tags)

    looked_at: list[int] = []
    contents = Contents(small_store.storage)
    tags = InstanceTags(small_store.reads, contents, small_store.dictionary, lambda: "Latin1")
    monkeypatch.setattr(small_store.index, "read", counted)
    presenter = presenter_of(small_store, Watched(tags))
    how = Presentation(requested=requested(small_store, Level.INSTANCE, ROWS))
    shown = presenter.show(caller, Level.INSTANCE, instance, how)
    assert shown[0]["RequestedTags"]["Rows"]
    assert looked_at == [0]
