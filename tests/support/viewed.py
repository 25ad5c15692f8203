"""Studies for viewers, and the requests that a page has made."""

import io
import time
from typing import Any, NamedTuple

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid
from support import generated
from support.driven_browser import PATIENCE, Browser, NoAnswer

SLICES = 12
FRAMES = 5
SIZE = 60
VIDEO_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
SEG_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
SEGMENT = "Viewed square"
PDF_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"
TEXT_OF_PDF = "Report of a test"


class Studies(NamedTuple):
    """UIDs of the studies, and the files of all."""

    ct: str
    multi_frame: str
    pdf: str
    files: list[bytes]


def marked(number: int, count: int) -> "np.ndarray":
    """A picture that tells which of `count` it is: black, with one white column."""
    pixels = np.zeros((SIZE, SIZE), np.uint8)
    width = SIZE // count
    pixels[:, number * width : (number + 1) * width] = 255
    return pixels


def studies() -> Studies:
    """A CT series, an ultrasound of several frames and a PDF, a study each."""
    ct, multi_frame, pdf = (generate_uid() for _ in range(3))
    files = _ct(ct)
    files.append(_multi_frame(multi_frame))
    files.append(_pdf(pdf))
    return Studies(ct, multi_frame, pdf, files)


def _ct(study: str) -> list[bytes]:
    series, frame_of_reference = generate_uid(), generate_uid()
    found = []
    for number in range(SLICES):
        dataset = generated.base()
        generated.add_pixels(dataset, marked(number, SLICES).astype(np.uint16) * 4)
        dataset.BitsStored, dataset.HighBit = 12, 11
        dataset.RescaleIntercept, dataset.RescaleSlope = "0", "1"
        dataset.WindowCenter, dataset.WindowWidth = "510", "1020"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.PatientName, dataset.PatientID = "Viewed^Slices", "V1"
        dataset.FrameOfReferenceUID = frame_of_reference
        dataset.InstanceNumber = str(number + 1)
        dataset.ImagePositionPatient = [0, 0, number]
        found.append(_file(dataset))
    return found


def cine(frames: int) -> tuple[str, bytes]:
    """A study with a long loop, and its file; the pictures of `FRAMES` frames come in turns."""
    study = generate_uid()
    return study, _multi_frame(study, frames)


def _multi_frame(study: str, frames: int = FRAMES) -> bytes:
    dataset = generated.base(generated.US_MULTIFRAME, "US")
    generated.add_pixels(dataset, marked(0, FRAMES), frames)
    pictures = [marked(number, FRAMES).tobytes() for number in range(FRAMES)]
    dataset.PixelData = b"".join(pictures[number % FRAMES] for number in range(frames))
    for keyword in ("RescaleIntercept", "RescaleSlope", "ImagePositionPatient"):
        delattr(dataset, keyword)
    del dataset.ImageOrientationPatient
    dataset.WindowCenter, dataset.WindowWidth = "127", "255"
    dataset.FrameTime = "40"
    dataset.FrameIncrementPointer = 0x00181063
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, generate_uid()
    dataset.PatientName, dataset.PatientID = "Viewed^Frames", "V2"
    return _file(dataset)


def video(stream: bytes) -> tuple[str, bytes]:
    """A study with this MP4 in it, and its file."""
    dataset = generated.base(VIDEO_CLASS, "XC")
    generated.add_pixels(dataset, marked(0, FRAMES))
    for keyword in ("RescaleIntercept", "RescaleSlope", "ImagePositionPatient"):
        delattr(dataset, keyword)
    del dataset.ImageOrientationPatient
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "YBR_PARTIAL_420"
    dataset.PlanarConfiguration, dataset.NumberOfFrames = 0, "40"
    dataset.Rows, dataset.Columns, dataset.FrameTime = 240, 320, "40"
    dataset.FrameIncrementPointer = 0x00181063
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    study = dataset.StudyInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID = "Viewed^Video", "V4"
    return study, _file(dataset)


def segmentation(files: list[bytes]) -> bytes:
    """A binary segmentation of a CT series: one segment, on every slice the same square."""
    sources = [dcmread(io.BytesIO(data)) for data in files]
    first = sources[0]
    dataset = generated.base(SEG_CLASS, "SEG")
    del dataset.ImagePositionPatient, dataset.ImageOrientationPatient
    for keyword in ("StudyInstanceUID", "PatientName", "PatientID", "FrameOfReferenceUID"):
        setattr(dataset, keyword, getattr(first, keyword))
    dataset.SeriesInstanceUID = generate_uid()
    dataset.SeriesDescription, dataset.SeriesNumber = "Viewed segments", "9"
    dataset.SegmentationType, dataset.ContentLabel = "BINARY", "SEGMENTS"
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.Rows = dataset.Columns = SIZE
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 0, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.NumberOfFrames = str(len(sources))
    dataset.SegmentSequence = [_segment()]
    dataset.ReferencedSeriesSequence = [
        _item(
            SeriesInstanceUID=first.SeriesInstanceUID,
            ReferencedInstanceSequence=[_reference(each) for each in sources],
        )
    ]
    dataset.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=generate_uid())]
    shared = _item(
        PlaneOrientationSequence=[_item(ImageOrientationPatient=first.ImageOrientationPatient)],
        PixelMeasuresSequence=[
            _item(PixelSpacing=first.PixelSpacing, SliceThickness="1", SpacingBetweenSlices="1")
        ],
        SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=1)],
    )
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=each.ImagePositionPatient)],
            FrameContentSequence=[_item(DimensionIndexValues=[1, number])],
            DerivationImageSequence=[_item(SourceImageSequence=[_reference(each)])],
        )
        for number, each in enumerate(sources, 1)
    ]
    mask = np.zeros((len(sources), SIZE, SIZE), np.uint8)
    mask[:, SIZE // 3 : SIZE * 2 // 3, SIZE // 3 : SIZE * 2 // 3] = 1
    bits = np.packbits(mask.ravel(), bitorder="little").tobytes()
    dataset.PixelData = bits + bytes(len(bits) % 2)
    dataset["PixelData"].VR = "OB"
    return _file(dataset)


def _segment() -> Dataset:
    tissue = _item(CodeValue="85756007", CodingSchemeDesignator="SCT", CodeMeaning="Tissue")
    return _item(
        SegmentNumber=1,
        SegmentLabel=SEGMENT,
        SegmentAlgorithmType="MANUAL",
        SegmentedPropertyCategoryCodeSequence=[tissue],
        SegmentedPropertyTypeCodeSequence=[tissue],
        RecommendedDisplayCIELabValue=[34885, 53485, 50171],
    )


def _reference(source: Dataset) -> Dataset:
    return _item(
        ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID
    )


def _item(**values: Any) -> Dataset:
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _pdf(study: str) -> bytes:
    dataset = generated.base(PDF_CLASS, "DOC")
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "ImageType"):
        delattr(dataset, keyword)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, generate_uid()
    dataset.PatientName, dataset.PatientID = "Viewed^Report", "V3"
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = _document()
    return _file(dataset)


def _file(dataset: Any) -> bytes:
    uid = generate_uid()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _document() -> bytes:
    """One page of PDF with a line of text."""
    text = f"BT /F1 24 Tf 72 720 Td ({TEXT_OF_PDF}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(text), text),
    ]
    data, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj%s endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    return (
        data
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
        + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, len(data))
        + (b"" if len(data) % 2 else b" ")
    )


class Asked(NamedTuple):
    """One request of a page."""

    url: str
    status: int


def prepare(browser: Browser) -> None:
    """Before a page is opened: a window of a usual size, and more requests than browsers keep.

    OHIF leads new users around, with a layer over the pictures; these have seen it.
    """
    size = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    browser.before_each_page(
        "performance.setResourceTimingBufferSize(10000);"
        "if (location.host) localStorage.setItem('shownTours', '[\"basicViewerTour\"]');"
    )


def requests(browser: Browser, part: str) -> list[Asked]:
    """What the page has asked for so far, where the address holds `part`, that was answered."""
    found = browser.value(
        "performance.getEntriesByType('resource').map((e) => [e.name, e.responseStatus])"
    )
    return [Asked(*each) for each in found if part in each[0]]


def wait_for_request(browser: Browser, part: str) -> None:
    """Until the page has asked for such an address. Raises NoAnswer where it never does."""
    end = time.monotonic() + PATIENCE
    while not requests(browser, part):
        if time.monotonic() > end:
            raise NoAnswer(f"nobody has asked for {part}")
        time.sleep(0.2)


def wait_for_picture(browser: Browser, canvas: str) -> None:
    """Until the canvas shows anything but one gray."""
    browser.wait_for(
        f"""(() => {{
        const canvas = document.querySelector({canvas!r});
        if (!canvas || !canvas.width) return false;
        const made = document.createElement("canvas");
        made.width = made.height = 32;
        const context = made.getContext("2d");
        context.drawImage(canvas, 0, 0, 32, 32);
        const data = context.getImageData(0, 0, 32, 32).data;
        const seen = new Set();
        for (let at = 0; at < data.length; at += 4) seen.add(data[at] >> 4);
        return seen.size > 2;
        }})()"""
    )


def wait_for_column(browser: Browser, canvas: str, count: int, number: int) -> None:
    """Until the canvas shows that picture. Raises NoAnswer where it never does."""
    end = time.monotonic() + PATIENCE
    while (found := white_column(browser, canvas, count)) != number:
        if time.monotonic() > end:
            raise NoAnswer(f"{canvas} shows picture {found}, not {number}")
        time.sleep(0.1)


def scroll_to(browser: Browser, canvas: str, count: int, number: int, down: int) -> None:
    """By the wheel, of which one notch down is `down` pictures; a viewer may not listen yet."""
    end = time.monotonic() + PATIENCE
    while (found := white_column(browser, canvas, count)) != number:
        if time.monotonic() > end:
            raise NoAnswer(f"{canvas} shows picture {found}, not {number}")
        if found is not None:
            browser.turn_wheel(canvas, 100 if (number - found) * down > 0 else -100)
        turned = time.monotonic() + 3
        while time.monotonic() < turned and white_column(browser, canvas, count) in (found, None):
            time.sleep(0.1)


def white_column(browser: Browser, canvas: str, count: int) -> int | None:
    """Which of `count` columns is the white one in the picture that `marked` made, as a canvas
    shows it; None while there is no such picture."""
    found = browser.value(
        f"""(() => {{
        const canvas = document.querySelector({canvas!r});
        if (!canvas || !canvas.width) return null;
        const made = document.createElement("canvas");
        [made.width, made.height] = [canvas.width, canvas.height];
        const context = made.getContext("2d");
        context.drawImage(canvas, 0, 0);
        const row = context.getImageData(0, made.height >> 1, made.width, 1).data;
        const gray = [];
        for (let x = 0; x < made.width; x++) gray.push(row[4 * x]);
        return [gray, canvas.height];
        }})()"""
    )
    if found is None:
        return None
    line, height = np.array(found[0]), found[1]
    white = np.flatnonzero(line > 127)
    if not len(white) or white[-1] - white[0] > 1.5 * len(line) / count:
        return None
    # The picture is a square, as high as the canvas or as wide; the browser centres it.
    side = min(len(line), height)
    place = (white.mean() - (len(line) - side) / 2) / side
    return int(place * count)
