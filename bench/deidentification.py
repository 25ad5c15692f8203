"""What is left of names, dates and numbers that were planted, and what is left of the rest: a small
set in the spirit of the MIDI-B benchmark (synthetic identifiers in elements, private elements, free
text and pixels), scored by category for this server and for Orthanc 1.13.

    python -m bench.deidentification

prints the table of docs/anonymization.md.
"""

import io
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import generated
from support.reference_server import ReferenceServer
from support.server import OurServer

PATIENTS: Final = 12
_BANNER: Final = 16  # rows of the picture in which the name stands

_FAMILIES = "Abernathy Brandstätter Castellano Dombrowski Eriksson Fitzwilliam Grünwald Hollister"
_GIVEN = "Adelaide Bertram Clementine Desmond Eugenia Frederik Gwendolyn Humphrey"
_STAFF = "Kowalczyk Lindqvist Montgomery Nakagawa Oppenheim Pettersson"
_SITES = "Riverside Clinic|Saint Aldhelm Infirmary|Northgate Imaging Centre"
_FINDINGS = "chest axial|abdomen with contrast|brain perfusion|liver follow-up"

# Free text that the profile keeps, and free text that it removes.
_KEPT_TEXT = ("ManufacturerModelName", "SoftwareVersions", "ViewName", "PulseSequenceName")
_REMOVED_TEXT = ("StudyDescription", "SeriesDescription", "ImageComments", "PatientComments")

REMOVAL: Final = (
    *("elements", "nested elements", "UIDs", "dates", "descriptions"),
    *("other free text", "private elements", "pixels"),
)
RETENTION: Final = (
    *("references", "intervals", "meaning of descriptions", "safe private elements"),
    *("pixels outside of the text", "second export matches"),
)

OPTIONS: Final[dict[str, Any]] = {
    "Options": ["CleanDescriptors", "RetainLongitudinalModifiedDates", "RetainSafePrivate"],
    "MaskPixels": [{"Region": [0, 0, 96, _BANNER], "Modality": "US"}],
    "PseudonymKey": "of this bench",
}


class Planted(NamedTuple):
    """One file, and the texts by category that must not be in what becomes of it."""

    dataset: FileDataset
    secrets: dict[str, list[str]]
    finding: str


class Score:
    """Passed checks, and all of them, by category."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.all: Counter[str] = Counter()

    def check(self, category: str, passed: bool) -> None:
        self.all[category] += 1
        self.passed[category] += passed

    def percent(self, category: str) -> float:
        return 100 * self.passed[category] / self.all[category]


def planted(patients: int = PATIENTS) -> Iterator[list[list[Planted]]]:
    """The studies of one patient after the other: two, each of a slice and an ultrasound image."""
    for number in range(patients):
        draw = random.Random(number)
        family, given = draw.choice(_FAMILIES.split()), draw.choice(_GIVEN.split())
        staff, site = draw.choice(_STAFF.split()), draw.choice(_SITES.split("|"))
        patient = f"MRN-{draw.randrange(10**6, 10**7)}"
        born = date(1930, 1, 1) + timedelta(draw.randrange(25000))
        first = date(2019, 1, 1) + timedelta(draw.randrange(1500))
        studies = []
        for study in range(2):
            day = first + timedelta(study * draw.randrange(20, 300))
            person = _Person(family, given, staff, site, patient, born, day)
            root = f"1.2.826.0.1.3680043.10.77.{number}.{study}"
            finding = draw.choice(_FINDINGS.split("|"))
            studies.append([_file(person, root, n, finding, draw) for n in range(2)])
        yield studies


class _Person(NamedTuple):
    family: str
    given: str
    staff: str
    site: str
    patient: str
    born: date
    day: date


def _file(person: _Person, root: str, number: int, finding: str, draw: random.Random) -> Planted:
    is_ultrasound = number == 1
    dataset = generated.base(*((generated.US_MULTIFRAME, "US") if is_ultrasound else ()))
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = root, f"{root}.{number}"
    uid = UID(f"{root}.{number}.1")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.FrameOfReferenceUID = f"{root}.9"
    accession, day = f"ACC{draw.randrange(10**6, 10**7)}", person.day.strftime("%Y%m%d")
    dataset.PatientName, dataset.PatientID = f"{person.family}^{person.given}", person.patient
    dataset.PatientBirthDate = person.born.strftime("%Y%m%d")
    dataset.ReferringPhysicianName = dataset.OperatorsName = f"{person.staff}^Anna"
    dataset.InstitutionName, dataset.AccessionNumber = person.site, accession
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = day
    dataset.AcquisitionDateTime = f"{day}101530"
    secrets: dict[str, list[str]] = {
        "elements": [person.family, person.given, person.patient, accession, person.site],
        "UIDs": [root, f"{root}.{number}", str(uid), f"{root}.9"],
        "dates": [day, person.born.strftime("%Y%m%d")],
        "nested elements": [person.staff],
        **{name: [] for name in ("descriptions", "other free text", "private elements")},
    }
    written = [
        f"{person.given} {person.family}",
        f"{person.family.upper()}, {person.patient}",
        f"by Dr {person.staff}",
        f"DOB {person.born.strftime('%d.%m.%Y')} {person.site}",
        f"{person.family}_{accession}",
    ]
    for keyword in _REMOVED_TEXT:
        setattr(dataset, keyword, f"{finding} {draw.choice(written)}")
        secrets["descriptions"] += [person.family, person.patient, person.staff, accession]
    for keyword in _KEPT_TEXT:
        setattr(dataset, keyword, f"X1 {draw.choice(written)}"[:64])
    secrets["other free text"] += [
        *(person.family, person.given, person.patient, person.staff, accession, person.site),
        person.born.strftime("%d.%m.%Y"),
    ]
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "1", "99X"
    code.CodeMeaning = f"for {person.family}"
    reference = Dataset()
    reference.ReferencedSOPClassUID = generated.CT
    reference.ReferencedSOPInstanceUID = f"{root}.{1 - number}.1"
    reference.PerformingPhysicianName = f"{person.staff}^Anna"
    reference.PurposeOfReferenceCodeSequence = Sequence([code])
    dataset.ReferencedImageSequence = Sequence([reference])
    block = dataset.private_block(0x0029, "SOMEBODY", create=True)
    block.add_new(1, "LO", f"{person.given} {person.family}")
    block.add_new(2, "OB", b"\1\2\3" + person.patient.encode() + b"\0")
    secrets["private elements"] += [person.family, person.patient]
    safe = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    safe.add_new(0x0E, "FL", 0.25)
    if is_ultrasound:
        picture = (draw.randrange(200) + np.arange(64 * 96).reshape(64, 96) % 50).astype(np.uint8)
        picture[4 : _BANNER - 4, 8:88] |= 0xC0  # what stands for the letters
        generated.add_pixels(dataset, picture, frames=2)
    else:
        generated.add_pixels(dataset, generated.anatomy(32))
    return Planted(dataset, secrets, finding)


def scored(url: str, body: dict[str, Any], patients: int = PATIENTS) -> Score:
    """What a server makes of the set with this body of `/studies/{id}/anonymize`."""
    score = Score()
    with httpx.Client(base_url=url, timeout=120) as client:
        for studies in planted(patients):
            made = [_anonymized(client, files, body) for files in studies]
            for files, results in zip(studies, made, strict=True):
                for each in files:
                    _judge(score, each, results)
            days = [_day(results[0]) for results in made]
            expected = [_day(files[0].dataset) for files in studies]
            score.check("intervals", None not in days and _gap(days) == _gap(expected))
            again = _anonymized(client, studies[0], body)
            score.check("second export matches", again[0].PatientID == made[0][0].PatientID)
    return score


def _anonymized(
    client: httpx.Client, files: list[Planted], body: dict[str, Any]
) -> list[FileDataset]:
    """The new files, in the order of the old ones."""
    for each in files:
        stored = client.post("/instances", content=_bytes(each.dataset)).json()
    answer = client.post(f"/studies/{stored['ParentStudy']}/anonymize", json=body)
    answer.raise_for_status()
    path = answer.json()["Path"]
    found = [
        pydicom.dcmread(io.BytesIO(client.get(f"/instances/{each['ID']}/file").content))
        for each in client.get(f"{path}/instances").json()
    ]
    client.delete(path).raise_for_status()
    by_modality = {each.Modality: each for each in found}
    return [by_modality[each.dataset.Modality] for each in files]


def _judge(score: Score, old: Planted, results: list[FileDataset]) -> None:
    new = next(each for each in results if each.Modality == old.dataset.Modality)
    texts, private = _texts(new)
    uids = {text for text in texts if text.replace(".", "").isdigit()}
    everywhere = "\n".join(texts).casefold()
    for category, secrets in old.secrets.items():
        for secret in secrets:
            if category == "UIDs":
                score.check(category, secret not in uids)
            elif category == "private elements":
                score.check(category, secret.casefold() not in "\n".join(private).casefold())
            elif category == "elements":
                score.check(category, secret not in _plain(new))
            elif category == "nested elements":
                score.check(category, secret not in str(new.get("ReferencedImageSequence", "")))
            elif category == "descriptions":
                found = " ".join(str(new.get(keyword, "")) for keyword in _REMOVED_TEXT)
                score.check(category, secret.casefold() not in found.casefold())
            else:
                score.check(category, secret.casefold() not in everywhere)
    for keyword in _REMOVED_TEXT:
        score.check("meaning of descriptions", old.finding in str(new.get(keyword, "")))
    other = next(each for each in results if each.Modality != old.dataset.Modality)
    references = [each.ReferencedSOPInstanceUID for each in new.get("ReferencedImageSequence", [])]
    score.check("references", references == [other.SOPInstanceUID])
    safe = [each for each in new if each.tag.is_private and each.value == 0.25]
    score.check("safe private elements", len(safe) == 1)
    if old.dataset.Modality == "US":
        before, after = old.dataset.pixel_array, new.pixel_array
        score.check("pixels", not after[:, :_BANNER].any())
        score.check(
            "pixels outside of the text", bool((after[:, _BANNER:] == before[:, _BANNER:]).all())
        )


def _plain(dataset: Dataset) -> str:
    """The elements that identify, by their meaning."""
    names = ("PatientName", "PatientID", "AccessionNumber", "InstitutionName", "OperatorsName")
    return " ".join(str(dataset.get(name, "")) for name in names)


def _texts(dataset: Dataset) -> tuple[list[str], list[str]]:
    """All values, and those of private elements, as texts."""
    found: list[str] = []
    private: list[str] = []
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                texts, inside = _texts(item)
                found += texts
                private += inside
        elif element.tag != 0x7FE00010:
            raw = isinstance(element.value, bytes)
            text = element.value.decode("latin-1") if raw else str(element.value)
            found.append(text)
            private += [text] if element.tag.is_private else []
    return found, private


def _day(dataset: Dataset) -> date | None:
    text = str(dataset.get("StudyDate", ""))
    return date(int(text[:4]), int(text[4:6]), int(text[6:])) if text else None


def _gap(days: list[date | None]) -> int | None:
    first, second = days
    return None if first is None or second is None else (second - first).days


def _bytes(dataset: FileDataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def table(scores: dict[str, Score]) -> str:
    """Markdown."""
    lines = [f"| | {' | '.join(scores)} |", f"|---|{'---|' * len(scores)}"]
    for title, categories in (("removed", REMOVAL), ("kept", RETENTION)):
        for category in categories:
            cells = [f"{score.percent(category):.0f}%" for score in scores.values()]
            lines.append(f"| {title}: {category} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    warnings.simplefilter("ignore")
    scores: dict[str, Score] = {}
    with tempfile.TemporaryDirectory() as folder:
        ours = Path(folder) / "ours"
        theirs = Path(folder) / "theirs"
        ours.mkdir()
        theirs.mkdir()
        with OurServer(ours) as server:
            scores["this server"] = scored(server.url, {})
            scores["this server, options"] = scored(server.url, OPTIONS)
        with ReferenceServer(theirs) as server:
            scores["Orthanc 1.13.0"] = scored(server.url, {})
            kept = {"Keep": ["StudyDate", *_REMOVED_TEXT], "KeepPrivateTags": True}
            scores["Orthanc 1.13.0, keeping as much"] = scored(server.url, kept)
    print(table(scores))


if __name__ == "__main__":
    main()
