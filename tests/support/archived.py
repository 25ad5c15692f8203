"""Instances whose archives try the rules for names: what is forbidden, what collides, what is no
text of ASCII."""

import io
from collections.abc import Iterator
from typing import Any

from pydicom.config import disable_value_validation
from support import generated

_NUMBER = "7" * 12  # as long as a text of IS may be


def instance(patient: str, study: str, series: str, number: int, **attributes: Any) -> bytes:
    """A file; an attribute that is None is absent. `raw` is an InstanceNumber as it is written."""
    raw = attributes.pop("raw", None)
    with disable_value_validation():
        dataset = generated.base()
        dataset.PatientID = patient
        dataset.StudyInstanceUID = f"{generated.ROOT}.9.{study}"
        dataset.SeriesInstanceUID = f"{dataset.StudyInstanceUID}.{series}"
        dataset.SOPInstanceUID = f"{dataset.SeriesInstanceUID}.{number}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.InstanceNumber = str(number) if raw is None else _NUMBER
        for keyword, value in attributes.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=True)
    data = file.getvalue()
    return data if raw is None else data.replace(_NUMBER.encode(), raw.encode().ljust(12))


DESCRIPTIONS = (
    *(
        "a\tb",
        "a\nb",
        "a\x85b",
        "a\x7fb",
        "a\x01b",
        "\x0b\x0cq",
        "a  b",
        "a.",
        "a ",
        "é",
        "éé é",
        "a/b",
    ),
    *("//", "a : : b", "\u3000x\u3000", "\u200bz", "\ufeffy", "x\u0301", "\U0001f600", "^"),
    *("^^ ^", " ^", "-", "a - b", "é^", "^é", "~%&;,'"),
)
MODALITIES = ("M", "mr", "ABC", "a/b", "a*", "*a", " ab", "/", "^^", "^", "..", "", "1a", "-x")
TEXTS = ("", "^", "é", "^é", " ", "/", "*", " x ")
NUMBERS = (
    *("5", "3", "", "abc", "3.0", "+6", "\t8", "9x", "4294967296", "4294967297", "-1", "00007"),
    *(" 12", "1e1", "99999999999", "12345678"),
)


def corpus() -> Iterator[bytes]:
    """What the tests of archives upload."""
    yield from _series("D", SeriesDescription=DESCRIPTIONS, SeriesNumber=None, Modality=None)
    yield from _series("M", Modality=MODALITIES)
    for number, text in enumerate(TEXTS):
        yield instance("S", f"30{number}", "1", 1, StudyDescription=text, AccessionNumber="")
        yield instance("S", f"31{number}", "1", 1, StudyDescription="", AccessionNumber=text)
        yield instance("S", f"32{number}", "1", 1, StudyDescription=text, AccessionNumber=text)
        yield instance(f"N{number}", "33", "1", 1, PatientName=text)
        yield instance(f"é{text}", f"34{number}", "1", 1, PatientName="")
    for number, raw in enumerate(NUMBERS):
        yield instance("I", "40", "1", number + 1, raw=raw)  # they collide: numbered anew
        yield instance("I", "41", str(number + 1), 1, raw=raw)
    yield from _series("C", SeriesDescription=("a:b", "a b", "a/b", "a  b"))
    for number in range(3):
        yield instance("T" + "éè"[:number], f"5{number}", "1", 1)  # patients of one name
        yield instance("U", f"6{number}", "1", 1)  # studies of one name
    yield instance("V", "70", "1", 1, PatientName="First^Name")
    yield instance("V", "71", "1", 1, PatientName="Other^Name")
    yield instance("W", "72", "1", 1, StudyDescription="é", AccessionNumber="", PatientName="é")
    yield instance("", "73", "1", 1, PatientName="N")
    for number in (1, 2, 10, 11, 3):
        yield instance("X", "74", "1", number)


def _series(patient: str, **attributes: Any) -> Iterator[bytes]:
    """A series for each value of those attributes that have several."""
    several = [values for values in attributes.values() if isinstance(values, tuple)]
    for number in range(len(several[0])):
        own = {
            key: value[number] if isinstance(value, tuple) else value
            for key, value in attributes.items()
        }
        yield instance(patient, f"2{ord(patient)}", str(number + 1), 1, **own)
