"""Worklists as REST makes them, and their end."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from support.small_store import USER, SmallStore
from support.worklists import file, worklist

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import (
    BadFileFormat,
    BadParameterType,
    OrthancError,
    StorageFault,
    UnknownDicomTag,
    UnknownResource,
)
from orthanc_fast.model import Level
from orthanc_fast.services.worklists.entries import read_worklist
from orthanc_fast.services.worklists.folder import Complaints, Folder
from orthanc_fast.services.worklists.housekeeping import delete_done
from orthanc_fast.services.worklists.registry import WorklistRegistry

DICTIONARY = Dictionary({}, False)
STEP = {"Modality": "CT", "ScheduledProcedureStepStartDate": "20260101"}
TAGS = {"PatientName": "Müller^日本", "ScheduledProcedureStepSequence": [STEP]}


def make_folder(path: Path) -> Folder:
    return Folder(
        path,
        lambda name, data, assumed: read_worklist(name, data, DICTIONARY, assumed),
        Complaints(lambda name: True, lambda name: None),
        lambda: "Latin1",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    found = make_folder(tmp_path / "worklists")
    yield found
    found.close()


def test_what_was_made_is_shown(folder: Folder, tmp_path: Path) -> None:
    registry = WorklistRegistry(folder, DICTIONARY, set_study_uid=True)
    name = registry.create(USER, {**TAGS, "0020,0010": "S", "AccessionNumber": ""}, force=False)
    shown = registry.get(USER, name, "simplify")
    uid = shown["Tags"]["StudyInstanceUID"]
    assert uid.startswith("2.25.")
    assert shown == {
        "ID": name,
        "Tags": {
            "SpecificCharacterSet": "ISO_IR 192",
            "AccessionNumber": "",
            "PatientName": "Müller^日本",
            "StudyInstanceUID": uid,
            "StudyID": "S",
            "ScheduledProcedureStepSequence": [STEP],
        },
    }
    short = registry.get(USER, name, "short")["Tags"]
    assert short["0040,0100"] == [{"0008,0060": "CT", "0040,0002": "20260101"}]
    full = registry.all(USER, "full")[0]["Tags"]
    assert full["0010,0010"] == {"Name": "PatientName", "Type": "String", "Value": "Müller^日本"}
    data = (tmp_path / "worklists" / f"{name}.wl").read_bytes()
    assert str(pydicom.dcmread(io.BytesIO(data)).PatientName) == "Müller^日本"


def test_all_tags_are_replaced(folder: Folder) -> None:
    registry = WorklistRegistry(folder, DICTIONARY, set_study_uid=False)
    registry.put(USER, "mine", {"PatientID": "1", "PatientName": "A"})
    registry.put(USER, "mine", {"0010,0020": "2"})
    tags = registry.get(USER, "mine", "simplify")["Tags"]
    assert tags == {"SpecificCharacterSet": "ISO_IR 192", "PatientID": "2"}
    registry.delete(USER, "mine")
    assert registry.all(USER, "simplify") == []
    with pytest.raises(UnknownResource):
        registry.delete(USER, "mine")


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        ({}, BadFileFormat),
        ({"ScheduledProcedureStepSequence": []}, BadFileFormat),
        ({"ScheduledProcedureStepSequence": "x"}, BadFileFormat),
        ({"ScheduledProcedureStepSequence": ["x"]}, BadFileFormat),
        ({"ScheduledProcedureStepSequence": [{"Modality": "CT"}]}, BadFileFormat),
        (
            {"ScheduledProcedureStepSequence": [{"ScheduledProcedureStepStartDate": "20260101"}]},
            BadFileFormat,
        ),
        ({**TAGS, "PatientID": 5}, BadParameterType),
        ({**TAGS, "PatientID": [{}]}, BadParameterType),
        ({**TAGS, "Nothing": "x"}, UnknownDicomTag),
    ],
)
def test_bad_tags(folder: Folder, tags: dict[str, Any], error: type[OrthancError]) -> None:
    registry = WorklistRegistry(folder, DICTIONARY, set_study_uid=True)
    with pytest.raises(error):
        registry.create(USER, tags, force=False)
    assert registry.all(USER, "simplify") == []


def test_steps_by_their_numbers(folder: Folder) -> None:
    registry = WorklistRegistry(folder, DICTIONARY, set_study_uid=True)
    step = {"0008,0060": "CT", "00400002": "20260101"}
    registry.create(USER, {"0040,0100": [step]}, force=False)
    registry.create(USER, {"PatientID": "no step"}, force=True)
    assert len(registry.all(USER, "short")) == 2


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = make_folder(tmp_path / "file")
    registry = WorklistRegistry(folder, DICTIONARY, set_study_uid=True)
    with pytest.raises(StorageFault):
        registry.create(USER, TAGS, force=False)
    folder.close()


def test_worklists_end_when_their_study_is_stable(small_store: SmallStore, folder: Folder) -> None:
    study = small_store.add(1, 1, 1, 1)[1]
    uid = small_store.reads(USER, lambda view: view.resources(Level.STUDY, [study]))[0]
    assert uid is not None
    folder.put("here", file(worklist(1, StudyInstanceUID=uid.tags[0x0020000D])))
    folder.put("elsewhere", file(worklist(2)))
    folder.put("empty", file(worklist(3, StudyInstanceUID="")))
    folder.put("none", file(worklist(4, StudyInstanceUID=None)))

    def left() -> list[str]:
        delete_done(folder, small_store.reads)
        return [each.id for each in folder.all()]

    assert left() == ["elsewhere", "empty", "here", "none"]
    now = uid.unstable_since + 100
    small_store.index.write(lambda transaction: transaction.stabilise(now, now, 10))
    assert left() == ["elsewhere", "empty", "none"]
