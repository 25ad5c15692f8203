"""DICOM files made for tests and benchmarks: encoded once, then numbered in place."""

import hashlib
import io

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.10.1042"
WIDTH = 10  # digits of a number in a UID
MARKS = {
    name: str(number) + "7" * (WIDTH - 1)
    for number, name in enumerate(("study", "series", "instance"), start=4)
}
PATIENT_MARK = "PATIENT7777777777"

CT = "1.2.840.10008.5.1.4.1.1.2"
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"


class Template:
    """One encoded file; `number` gives copies that differ in their identifiers only."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._offsets = {name: _all_offsets(data, mark.encode()) for name, mark in MARKS.items()}
        self._patient = _all_offsets(data, PATIENT_MARK.encode())
        assert all(self._offsets.values())
        assert self._patient

    def number(self, patient: int, study: int, series: int, instance: int) -> bytes:
        """The file of this patient, study, series and instance; UIDs of a level include its
        parents'."""
        copy = bytearray(self.data)
        digits = {"study": study, "series": series, "instance": instance}
        for name, number in digits.items():
            text = f"{int(MARKS[name][0])}{number:0{WIDTH - 1}d}".encode()
            for offset in self._offsets[name]:
                copy[offset : offset + WIDTH] = text
        text = f"PATIENT{patient:010d}".encode()
        for offset in self._patient:
            copy[offset : offset + len(text)] = text
        return bytes(copy)


def _all_offsets(data: bytes, mark: bytes) -> list[int]:
    found, at = [], data.find(mark)
    while at >= 0:
        found.append(at)
        at = data.find(mark, at + 1)
    return found


def base(sop_class: str = CT, modality: str = "CT") -> FileDataset:
    """A data set with the attributes that scanners write, without pixel data."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID(sop_class)
    dataset = FileDataset("generated", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID = sop_class
    uid = f"{ROOT}.{MARKS['study']}.{MARKS['series']}.{MARKS['instance']}"
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = UID(uid)
    dataset.StudyDate, dataset.StudyTime = "20240115", "101530.250"
    dataset.AccessionNumber = "A1042"
    dataset.Modality = modality
    dataset.Manufacturer = "Generated"
    dataset.InstitutionName = "General Hospital"
    dataset.ReferringPhysicianName = "Doe^Jane"
    dataset.StudyDescription = "Thorax"
    dataset.SeriesDescription = "Axial 1 mm"
    dataset.PatientName = "Test^Person"
    dataset.PatientID = PATIENT_MARK
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "O"
    dataset.BodyPartExamined = "CHEST"
    dataset.StudyInstanceUID = f"{ROOT}.{MARKS['study']}"
    dataset.SeriesInstanceUID = f"{ROOT}.{MARKS['study']}.{MARKS['series']}"
    dataset.StudyID, dataset.SeriesNumber = "1", "2"
    dataset.AcquisitionNumber, dataset.InstanceNumber = "1", "1"
    dataset.ImagePositionPatient = [-158.1, -179.0, -75.7]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    return dataset


def add_private(dataset: Dataset, count: int) -> None:
    """Private elements in one block, texts and numbers by turns."""
    block = dataset.private_block(0x0029, "ORTHANC FAST BENCH", create=True)
    for number in range(count):
        if number % 2:
            block.add_new(number, "LO", f"value {number} of the generated scanner")
        else:
            block.add_new(number, "DS", f"{number * 1.25:.4f}")


def add_pixels(dataset: Dataset, pixels: "np.ndarray", frames: int = 1) -> None:
    """8 or 16 bit, gray (H, W) or RGB (H, W, 3); repeated for `frames`."""
    rows, columns = pixels.shape[:2]
    bits = 8 * pixels.itemsize
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 1 if pixels.dtype.kind == "i" else 0
    dataset.PixelSpacing = [0.7, 0.7]
    dataset.SliceThickness = "1.0"
    dataset.RescaleIntercept, dataset.RescaleSlope = "-1024", "1"
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.PixelData = pixels.tobytes() * frames


def anatomy(size: int, seed: int = 7) -> "np.ndarray":
    """A slice that compresses like CT: smooth ellipses, soft edges, noise of a few units."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    image = np.full((size, size), 24.0)
    for center_x, center_y, width, height, value in (
        (0, 0, 0.8, 0.65, 1040),
        (-0.35, -0.05, 0.3, 0.4, -780),
        (0.35, -0.05, 0.3, 0.4, -780),
        (0, 0.4, 0.12, 0.12, 600),
    ):
        radius = ((x - center_x) / width) ** 2 + ((y - center_y) / height) ** 2
        image += value / (1 + np.exp(np.clip((radius - 1) * 40, -60, 60)))
    noise = rng.normal(0, 4, (size, size)) * (image > 40)
    return np.clip(image + noise, 0, 4095).astype("<i2")


def encode(dataset: FileDataset) -> Template:
    return Template(encode_once(dataset))


def encode_once(dataset: FileDataset) -> bytes:
    """One file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def small() -> Template:
    """About 10 KB: a 64 x 64 slice."""
    dataset = base()
    add_private(dataset, 10)
    add_pixels(dataset, anatomy(64))
    return encode(dataset)


def ct_slice() -> Template:
    """About 525 KB: 512 x 512 of 16 bits, 40 private elements."""
    dataset = base()
    add_private(dataset, 40)
    add_pixels(dataset, anatomy(512))
    return encode(dataset)


def ultrasound(frames: int = 20) -> Template:
    """A colour loop of 480 x 640."""
    dataset = base(US_MULTIFRAME, "US")
    gray = (anatomy(640)[:480] // 8).astype("u1")
    add_pixels(dataset, np.stack([gray, gray, gray // 2], axis=2), frames)
    return encode(dataset)


def multiframe(frames: int = 200) -> Template:
    """A large file: many slices of 512 x 512 in one, about 100 MB."""
    dataset = base("1.2.840.10008.5.1.4.1.1.2.1")
    add_pixels(dataset, anatomy(512), frames)
    return encode(dataset)


def identifier(*parts: str) -> str:
    """The identifier that Orthanc gives to a patient, study, series or instance."""
    digest = hashlib.sha1("|".join(parts).encode()).hexdigest()
    return "-".join(digest[at : at + 8] for at in range(0, 40, 8))
