"""An archive as hospitals have it, by number: 4 series of 25 instances in a study, a study per
patient, 20 studies a day. Names, dates, modalities, metadata and labels vary.

The first studies of a large archive are a small archive: what is rare is among the first 200, so
that the same query finds as much in both.
"""

import datetime
import hashlib
import io

import msgspec
from pydicom.dataset import FileDataset
from support import generated

from orthanc_fast.model import Attachment, NewInstance

PER_SERIES = 25
SERIES_PER_STUDY = 4
PER_STUDY = PER_SERIES * SERIES_PER_STUDY
PER_DAY = 20
RARE = 200  # studies that hold what is rare
LABEL = "urgent"
USER_METADATA = 1024
SIZE = 525_000

_FIRST_DAY = datetime.date(2010, 1, 1)
_FAMILIES = ("Smith", "Müller", "García", "Tanaka", "Okafor")  # a divisor of PER_DAY
_GIVEN = ("Anna", "John", "Élodie", "Ken", "Maria", "Tom", "Zoë")
_DESCRIPTIONS = ("Thorax", "Abdomen", "Head without contrast", "Knee left", "Spine", "Heart")
_MODALITIES = ("CT", "MR", "US", "CR", "DX")


class Study(msgspec.Struct):
    """The attributes of a study and its patient, as main DICOM tags by keyword."""

    patient_id: str
    uid: str
    values: dict[str, str]


def study(number: int) -> Study:
    day = _FIRST_DAY + datetime.timedelta(number // PER_DAY)
    family = f"{_FAMILIES[number % 5]}{number // PER_DAY}"
    return Study(
        patient_id=f"PATIENT{number:010d}",
        uid=f"{generated.ROOT}.4{number:09d}",
        values={
            "PatientName": f"{family}^{_GIVEN[number % 7]}",
            "PatientBirthDate": f"{1930 + number % 80}{1 + number % 12:02d}{1 + number % 28:02d}",
            "PatientSex": "FMO"[number % 3],
            "StudyDate": day.strftime("%Y%m%d"),
            "StudyTime": f"{number % 24:02d}{number % 60:02d}00",
            "AccessionNumber": f"A{number:07d}",
            "InstitutionName": f"Hospital {number % 12}",
            "ReferringPhysicianName": f"Doe{number % 300}^Jane",
            "StudyDescription": _DESCRIPTIONS[number % 6],
            "StudyID": str(number % 1000),
        },
    )


def modality(study_number: int, series: int) -> str:
    """PT is rare: in 20 studies of any archive."""
    if series == 1 and study_number < RARE and study_number % 10 == 0:
        return "PT"
    return _MODALITIES[(study_number + series // 2) % 5]


def labels(study_number: int) -> list[str]:
    found = [LABEL] if study_number < RARE and study_number % 10 == 5 else []
    return [*found, "teaching"] if study_number % 7 == 0 else found


def metadata(study_number: int) -> dict[int, bytes]:
    return {USER_METADATA: f"batch {study_number // PER_DAY}".encode()}


_TAGS = {
    "PatientName": 0x00100010,
    "PatientBirthDate": 0x00100030,
    "PatientSex": 0x00100040,
    "StudyDate": 0x00080020,
    "StudyTime": 0x00080030,
    "AccessionNumber": 0x00080050,
    "InstitutionName": 0x00080080,
    "ReferringPhysicianName": 0x00080090,
    "StudyDescription": 0x00081030,
    "StudyID": 0x00200010,
}


def instance(number: int) -> NewInstance:
    """As the ingest gives it to the index."""
    series_number, index = divmod(number, PER_SERIES)
    study_number, series = divmod(series_number, SERIES_PER_STUDY)
    of_study = study(study_number)
    series_uid = f"{of_study.uid}.5{series_number:09d}"
    names = (of_study.patient_id, of_study.uid, series_uid, f"{series_uid}.6{number:09d}")
    digests = [hashlib.sha1("|".join(names[: level + 1]).encode()).digest() for level in range(4)]
    tags = {_TAGS[keyword]: value for keyword, value in of_study.values.items()}
    return NewInstance(
        publics=(digests[0], digests[1], digests[2], digests[3]),
        tags=(
            {tag: text for tag, text in tags.items() if tag >> 16 == 0x0010}
            | {0x00100020: names[0]},
            {tag: text for tag, text in tags.items() if tag >> 16 != 0x0010}
            | {0x0020000D: names[1]},
            {
                0x00080060: modality(study_number, series),
                0x00080070: f"Maker {study_number % 9}",
                0x0008103E: f"Series {series} of the protocol",
                0x00200011: str(series),
                0x0020000E: names[2],
            },
            {0x00080018: names[3], 0x00200013: str(index + 1)},
        ),
        metadata=(
            {},
            {},
            {3: ""},
            {1: str(index + 1), 2: "20240115T101530", 8: "RestApi"},
        ),
        signatures=("p", "s", "e", "i"),
        attachments={1: Attachment(f"{number:036d}", SIZE, SIZE, False, b"\0" * 16)},
        image=b"\x90",
        received=1_700_000_000 + study_number,
    )


def files(study_number: int) -> list[bytes]:
    """The instances of one study as files, without pixel data, for a server that must be filled by
    uploads."""
    found = []
    for series in range(SERIES_PER_STUDY):
        dataset: FileDataset = generated.base(modality=modality(study_number, series))
        dataset.SpecificCharacterSet = "ISO_IR 192"
        for keyword, value in study(study_number).values.items():
            setattr(dataset, keyword, value)
        dataset.SeriesDescription = f"Series {series} of the protocol"
        dataset.SeriesNumber = str(series)
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        template = generated.Template(buffer.getvalue())
        series_number = study_number * SERIES_PER_STUDY + series
        found += [
            template.number(study_number, study_number, series_number, number)
            for number in range(series_number * PER_SERIES, (series_number + 1) * PER_SERIES)
        ]
    return found
