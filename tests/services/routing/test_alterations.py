"""What rules make of instances on their way."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from support import generated
from support.routing_site import Kept, RoutingSite

from orthanc_fast.services.routing.contract import Item

Make = Callable[..., RoutingSite]


class Files(Kept):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(self.keep)
        self.files: list[pydicom.FileDataset] = []
        self.items: list[Item] = []

    def keep(self, item: Item) -> None:
        assert item.data is not None
        self.items.append(item)
        self.files.append(pydicom.dcmread(io.BytesIO(bytes(item.data))))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    opened: list[RoutingSite] = []

    def site(**rule: Any) -> RoutingSite:
        section = {
            "Destinations": {"there": {"Folder": "."}},
            "Rules": {"changes": {"Destinations": ["there"], **rule}},
        }
        opened.append(RoutingSite(tmp_path / "store", section))
        return opened[-1]

    yield site
    for each in opened:
        each.close()


def sent(site: RoutingSite) -> list[pydicom.FileDataset]:
    """All that waits, as it is sent."""
    site.follow()
    door = Files()
    sender = site.sender("there", door)
    while not site.queue("there").is_empty:
        site.clock.now += sender.turn()
    assert site.queue("there").failed == 0
    for item, file in zip(door.items, door.files, strict=True):
        assert item.outgoing.sop_instance == file.SOPInstanceUID
        assert item.outgoing.transfer_syntax == file.file_meta.TransferSyntaxUID
        assert item.outgoing.file is not None
        assert item.outgoing.file.size == item.size == len(bytes(item.data or b""))
    return door.files


def test_new_identifiers_are_the_same_over_events_and_restarts(make: Make) -> None:
    first = make(Event="StableStudy", Anonymize={})
    for number in range(3):
        first.add(1, number)
    first.stabilise()
    once = sent(first)
    first.close()
    second = make(Event="StableStudy", Anonymize={})
    second.add(1, 3)
    second.stabilise()
    again = sent(second)
    assert [file.SOPInstanceUID for file in again[:3]] == [file.SOPInstanceUID for file in once]
    files = [*once, *again]
    assert len({(file.StudyInstanceUID, file.PatientID, file.PatientName) for file in files}) == 1
    assert str(files[0].PatientName).startswith("Anonymized")
    assert "PATIENT" not in files[0].PatientID


def test_each_patient_has_a_pseudonym(make: Make) -> None:
    site = make(Anonymize={})
    for study in range(3):
        site.add(study, 1)
    assert len({str(file.PatientName) for file in sent(site)}) == 3


def test_modifications_are_those_of_the_level_of_the_event(make: Make) -> None:
    body = {"Replace": {"InstitutionName": "Elsewhere"}}
    site = make(Event="StableStudy", Modify=body)
    template = generated.small()
    old = pydicom.dcmread(io.BytesIO(template.number(1, 1, 1, 1)))
    site.put(template.number(1, 1, 1, 1))
    site.stabilise()
    (file,) = sent(site)
    assert file.InstitutionName == "Elsewhere"
    assert file.PatientID == old.PatientID
    assert file.StudyInstanceUID != old.StudyInstanceUID
    assert file.SeriesInstanceUID != old.SeriesInstanceUID


def test_of_a_stored_instance_only_its_own_identifier_is_new(make: Make) -> None:
    site = make(Modify={"Replace": {"InstitutionName": "Elsewhere"}})
    template = generated.small()
    old = pydicom.dcmread(io.BytesIO(template.number(1, 1, 1, 1)))
    site.put(template.number(1, 1, 1, 1))
    (file,) = sent(site)
    assert (file.SeriesInstanceUID, file.InstitutionName) == (old.SeriesInstanceUID, "Elsewhere")
    assert file.SOPInstanceUID != old.SOPInstanceUID


def test_texts_of_the_whole_study_are_cleaned(make: Make) -> None:
    """The name stands in one instance, and in a text of another one, which is sent first."""
    site = make(
        Event="StableStudy",
        Anonymize={"DicomVersion": "2023b", "Options": ["CleanDescriptors"]},
    )
    for number, (field, value) in enumerate(
        [
            ("StudyDescription", "Thorax of Zebedee"),
            ("OtherPatientNames", "Zebedee^Anne"),
        ]
    ):
        data_set = pydicom.dcmread(io.BytesIO(generated.small().number(1, 1, 1, number)))
        setattr(data_set, field, value)
        file = io.BytesIO()
        data_set.save_as(file)
        site.put(file.getvalue())
    site.stabilise()
    first, _ = sent(site)
    assert "Thorax" in first.StudyDescription
    assert "Zebedee" not in first.StudyDescription


def test_what_cannot_be_changed_is_set_aside_at_once(make: Make) -> None:
    """To try again would only keep others waiting."""
    site = make(Modify={"Replace": {"Rows": "many"}})
    site.add(1, 1)
    site.follow()
    door = Kept()
    site.sender("there", door).turn()
    queue = site.queue("there")
    assert (door.attempts, queue.failed, queue.pending) == ([], 1, 0)
    assert "the rule, which cannot be carried out" in queue.last_error


def test_what_cannot_be_transcoded_goes_as_it_is(make: Make) -> None:
    """As by other sends: nothing is transcoded to a video."""
    site = make(Transcode="1.2.840.10008.1.2.4.102")
    site.add(1, 1)
    (file,) = sent(site)
    assert file.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
